"""Make the guides' pictures of pages, in a real browser.

    python -m tests.support.screenshots app        # docs/app.png, docs/judging.png: the page with its models
    python -m tests.support.screenshots example    # docs/example.png: test images of the built-in sample
    python -m tests.support.screenshots prefect    # docs/prefect-*.png: Prefect's pages of a rebuild

The last works on a temporary clone of the last commit and takes about four minutes on two cores.
"""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from itertools import product
from pathlib import Path

import httpx
import torch
from PIL import Image
from playwright.sync_api import Page

from benchmarks.kill_training import clone
from colorizer.core.files import save_image
from colorizer.core.store import open_store
from colorizer.data.sample import built_in_photographs
from colorizer.models.registry import MODEL_PATH
from colorizer.networks.checkpoints import generate_chroma, load_generator
from colorizer.scoring.sheets import comparison_sheet
from pipeline.process.server import free_port, temporary_server
from tests.support.browser import open_page, open_prefect
from tests.support.disturbed import wait_until
from tests.support.imports import ROOT
from tests.support.prefect_server import PASSWORD, PrefectServer
from tests.support.rebuilding import EVERYTHING, run_id
from tests.support.workspace import BIN, Workspace

EXAMPLES = [2271, 2032, 2478, 2345, 2410, 2484]  # test images of the sample
EPOCHS, SHOWN = 24, 18  # of presets/sample.yaml; the epoch whose form is shown


def main() -> None:
    {"app": take_app, "example": make_example, "prefect": take_prefect}[sys.argv[1]]()


def take_app() -> None:
    with tempfile.TemporaryDirectory(prefix="screenshots.") as temporary:
        port = free_port()
        process = subprocess.Popen([BIN / "python", "-m", "colorizer", "app", "--port", str(port)], cwd=ROOT)
        photographs = [Path(temporary, name).with_suffix(".png") for name in ("china", "flower", "chelsea")]
        for (name, pixels), path in product(built_in_photographs(), photographs):
            if Path(name).stem == path.stem:
                Image.fromarray(pixels).convert("L").save(path)
        wait_until(lambda: answers(port))
        with open_page(f"http://127.0.0.1:{port}") as page:
            page.locator("input[type=file]").first.set_input_files(photographs[::-1])
            page.get_by_text("china.png: ").wait_for()
            save(page, "app")
            page.get_by_role("tab", name="Judge").click()
            page.get_by_role("button", name="Start").click()
            page.get_by_text("Photograph 1; ").wait_for()
            save(page, "judging")
        process.send_signal(signal.SIGINT)
        process.wait()


def make_example() -> None:
    generator, normalization, _ = load_generator(MODEL_PATH, torch.device("cpu"))
    truth = open_store(ROOT / "data" / "lab.npy")[EXAMPLES]
    chroma = generate_chroma(generator, normalization, truth[..., 0], torch.device("cpu"))
    save_image(comparison_sheet(truth, chroma), ROOT / "docs" / "example.png")


def answers(port: int) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}").is_success
    return False


def take_prefect() -> None:
    with tempfile.TemporaryDirectory(prefix="screenshots.") as temporary:
        workspace, home = Workspace(clone(Path(temporary, "workspace"))), Path(temporary, "home")
        os.environ |= {"PREFECT_HOME": str(home), "PREFECT_SERVER_API_AUTH_STRING": PASSWORD}
        port = free_port()
        with temporary_server(workspace.path, port) as wait:
            wait()
            take(workspace, PrefectServer(f"http://127.0.0.1:{port}", home))


def take(workspace: Workspace, prefect: PrefectServer) -> None:
    process = workspace.start(*EVERYTHING, "--review", **prefect.environment, OMP_NUM_THREADS="2")
    with open_prefect(prefect.url, prefect.password) as page:
        answer = {"keep_checkpoint": True, "learning_rate": 0.0006, "stop_here": False}
        for epoch in range(1, EPOCHS + 1):
            wait_until(lambda epoch=epoch: f"epoch {epoch} of {EPOCHS}" in workspace.printed, seconds=120)
            run = run_id(workspace.printed)
            wait_until(lambda run=run: prefect.run(run)["state"]["type"] == "PAUSED")
            if epoch == SHOWN:
                page.goto(f"{prefect.url}/runs/flow-run/{run}")
                page.get_by_role("button", name="Resume").click()
                page.get_by_role("dialog").get_by_role("heading", name=f"epoch {epoch} of").wait_for()
                save(page, "prefect-review")
                page.goto("about:blank")  # drawing the live page takes both cores
            wait_until(
                lambda run=run: prefect.ask(f"flow_runs/{run}/resume", {"run_input": answer})["status"] == "ACCEPT"
            )
        assert process.wait() == 0, workspace.printed
        page.goto(f"{prefect.url}/runs/flow-run/{run}")
        page.get_by_text("> python -m stages.sample").wait_for()  # of the log
        save(page, "prefect-run")
        page.get_by_text("Artifacts", exact=True).click()
        page.get_by_text("score-card").first.wait_for()
        save(page, "prefect-artifacts")
        page.goto(f"{prefect.url}/artifacts/artifact/{prefect.artifacts(run)['stages']['id']}")
        page.get_by_text("nothing it depends on").or_(page.get_by_text("not in cache")).first.wait_for()
        save(page, "prefect-stages")


def save(page: Page, name: str) -> None:
    page.wait_for_timeout(2000)  # animations
    page.screenshot(path=ROOT / "docs" / f"{name}.png")


if __name__ == "__main__":
    main()
