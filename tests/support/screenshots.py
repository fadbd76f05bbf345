"""Make the guides' pictures: of pages, in a real browser, and of photographs.

    python -m tests.support.screenshots app        # docs/app.png, docs/judging.png: the page with its models
    python -m tests.support.screenshots hints MODEL  # docs/hints.jpg: the page with a model that takes hints
    python -m tests.support.screenshots example    # docs/example.png: test images of the built-in sample
    python -m tests.support.screenshots lab        # docs/lab.png: a photograph as lightness, A and B
    python -m tests.support.screenshots like       # docs/like.png: a photograph with the colours of another
    python -m tests.support.screenshots recipes    # docs/recipes.png: test images, coloured by four recipes
    python -m tests.support.screenshots prefect    # docs/prefect-*.png: Prefect's pages of a rebuild
    python -m tests.support.screenshots tensorboard  # docs/tensorboard.png: the curves of two learning rates

The last three work on a temporary clone of the last commit. The last takes two minutes on two cores, the two before it
four to fifteen.
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from itertools import product
from pathlib import Path
from urllib.parse import urlencode

import httpx
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page

from benchmarks.kill_training import clone
from benchmarks.reference import PAIRS, crop, liked, photographs
from colorizer.core.files import save_image
from colorizer.core.lab import codes_to_rgb, grey_codes, rgb_to_codes
from colorizer.core.store import open_store
from colorizer.data.sample import built_in_photographs
from colorizer.models.registry import MODEL_PATH
from colorizer.models.twin import load_for_photographs
from colorizer.networks.checkpoints import generate_chroma, load_generator
from colorizer.photographs.colorizing import Colorizer
from colorizer.references.descriptors import load_descriptors
from colorizer.scoring.sheets import comparison_sheet
from pipeline.process.server import free_port, temporary_server
from tests.support.browser import open_page, open_prefect
from tests.support.disturbed import wait_until
from tests.support.imports import ROOT
from tests.support.prefect_server import PASSWORD, PrefectServer
from tests.support.rebuilding import EVERYTHING, run_id
from tests.support.tensorboard import watching
from tests.support.workspace import BIN, Workspace

LIKE = ("chelsea.png", "flower.jpg", "rocket.jpg", "retina.jpg")
EXAMPLES = [2271, 2032, 2478, 2345, 2410, 2484]  # test images of the sample
_OWN_ENCODER = {"epochs": "24", "learning_rate": "0.0006", "encoder": "plain"}
_OF_THE_SAMPLE = {"root": "data/sample", "split__train": "2000", "validation": "200", "split__test": "500"}
RECIPES = {  # a preset, and what is changed in it
    "L1 alone": ("sample", _OWN_ENCODER | {"l1_pretrain_epochs": "24"}),
    "textbook": ("photos64", _OF_THE_SAMPLE | {"epochs": "24"}),
    "own encoder": ("sample", _OWN_ENCODER | {"l1_pretrain_epochs": "14"}),
    "pretrained": ("sample", {}),
}
HINTED = "flower.jpg"  # a built-in photograph, and hints in it: shares of its width and height, colours
HINTS = [(0.5, 0.45, "#b02060"), (0.15, 0.2, "#3050a0"), (0.85, 0.2, "#3050a0"), (0.1, 0.8, "#3050a0")]
EPOCHS, SHOWN = 10, 8  # of presets/sample.yaml; the epoch whose form is shown


def main() -> None:
    takes = {"app": take_app, "hints": take_hints, "prefect": take_prefect, "tensorboard": take_tensorboard}
    makes = {"example": make_example, "lab": make_lab, "like": make_like, "recipes": make_recipes}
    (takes | makes)[sys.argv[1]]()


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


def take_hints() -> None:
    """The tab of hints before any, with one, and with several, side by side."""
    with tempfile.TemporaryDirectory(prefix="screenshots.") as temporary:
        folder, port = Path(temporary), free_port()
        (folder / MODEL_PATH).parent.mkdir()
        shutil.copy(Path(sys.argv[2]).resolve(), folder / MODEL_PATH)
        command = [BIN / "python", "-m", "colorizer", "app", "--port", str(port)]
        process = subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)})
        pixels = dict(built_in_photographs())[HINTED]
        photograph = (folder / HINTED).with_suffix(".png")
        Image.fromarray(pixels).convert("L").save(photograph)
        wait_until(lambda: answers(port), seconds=180)
        with open_page(f"http://127.0.0.1:{port}") as page:
            page.set_viewport_size({"width": 1400, "height": 950})
            page.locator("input[type=file]").first.set_input_files(photograph)
            page.get_by_role("tab", name="Hints").click()
            page.get_by_alt_text("picture with hints").wait_for()
            states = [shot(page)]
            told = page.get_by_text("Choose a colour for")
            for number, (across, down, color) in enumerate(HINTS, start=1):
                before = told.all_inner_texts()
                shown = page.get_by_alt_text("picture with hints")
                box = shown.bounding_box()
                assert box
                shown.click(position={"x": box["width"] * across, "y": box["height"] * down})
                wait_until(lambda before=before: told.all_inner_texts() not in ([], before), seconds=30)
                page.locator("#hints input[type=color]").fill(color)
                page.locator("#hints .hints li").nth(number - 1).wait_for()
                if number in (1, len(HINTS)):
                    states.append(shot(page))
        process.send_signal(signal.SIGINT)
        process.wait()
    margin = 8
    width, height = states[0].width, max(state.height for state in states)
    sheet = Image.new("RGB", (len(states) * (width + margin) - margin, height), "white")
    for column, state in enumerate(states):
        sheet.paste(state, (column * (width + margin), 0))
    save_image(sheet, ROOT / "docs" / "hints.jpg")


def shot(page: Page) -> Image.Image:
    page.wait_for_timeout(2000)
    return Image.open(io.BytesIO(page.locator("#hints").screenshot())).convert("RGB")


def make_example() -> None:
    generator, normalization, _ = load_generator(MODEL_PATH, torch.device("cpu"))
    truth = open_store(ROOT / "data" / "lab.npy")[EXAMPLES]
    chroma = generate_chroma(generator, normalization, truth[..., 0], torch.device("cpu"))
    save_image(comparison_sheet(truth, chroma), ROOT / "docs" / "example.png")


def make_lab() -> None:
    pixels = next(pixels for name, pixels in built_in_photographs() if Path(name).stem == "china")
    side = min(pixels.shape[:2])
    codes = rgb_to_codes(np.asarray(Image.fromarray(pixels[:side, :side]).resize((256, 256), Image.Resampling.BOX)))
    a, b = np.full_like(codes, 128), np.full_like(codes, 128)
    a[..., 0], a[..., 1], b[..., 0], b[..., 2] = 160, codes[..., 1], 160, codes[..., 2]
    parts = {"photograph": codes, "L": grey_codes(codes), "A, at one lightness": a, "B, at one lightness": b}
    save_image(columns({title: [codes_to_rgb(part)] for title, part in parts.items()}, tile=256), ROOT / "docs/lab.png")


def make_like() -> None:
    model, describe = load_for_photographs(ROOT / MODEL_PATH), load_descriptors()
    shown: dict[str, list[np.ndarray]] = {}
    for name, pixels in photographs():
        if name in LIKE:
            (truth, reference) = (crop(pixels, shares) for shares in PAIRS[0])
            alone, like = (
                Colorizer(model=chosen, size=model.info.training_size)(truth)
                for chosen in (model, liked(model, reference, describe))
            )
            grey = codes_to_rgb(grey_codes(rgb_to_codes(truth.pixels)))
            made = {"grey": grey, "without": alone.pixels, "reference": reference.pixels}
            for title, image in (made | {"with the reference": like.pixels, "truth": truth.pixels}).items():
                shown.setdefault(title, []).append(image[: min(image.shape[:2]), : min(image.shape[:2])])
    save_image(columns(shown, tile=144), ROOT / "docs" / "like.png")


def make_recipes() -> None:
    cpu = torch.device("cpu")
    with tempfile.TemporaryDirectory(prefix="screenshots.") as temporary:
        workspace = Workspace(clone(Path(temporary, "workspace")))
        models = {}
        for title, (preset, changes) in RECIPES.items():
            shutil.copy(workspace.path / f"presets/{preset}.yaml", workspace.path / "params.yaml")
            workspace.edit_params(**changes)
            workspace.run(str(BIN / "dvc"), "repro", OMP_NUM_THREADS="2")
            models[title] = load_generator(workspace.path / MODEL_PATH, cpu)
            scores = json.loads((workspace.path / "metrics.json").read_text(encoding="utf-8"))["model"]
            print(f"{title}: {scores}", flush=True)
        truth = open_store(workspace.path / "data" / "lab.npy")[EXAMPLES]
    lightness = truth[..., :1].astype(np.float32)
    shown = {"grey": [codes_to_rgb(grey_codes(codes)) for codes in truth]}
    for title, (generator, normalization, _) in models.items():
        chroma = generate_chroma(generator, normalization, truth[..., 0], cpu)
        shown[title] = [codes_to_rgb(codes) for codes in np.concatenate([lightness, chroma], axis=-1)]
    shown["truth"] = [codes_to_rgb(codes) for codes in truth]
    save_image(columns(shown, tile=144), ROOT / "docs" / "recipes.png")


def columns(shown: dict[str, list[np.ndarray]], tile: int) -> Image.Image:
    """Draw images (H, W, 3) uint8 below their title, `tile` pixels wide each."""
    margin, line = 6, 22
    rows = len(next(iter(shown.values())))
    sheet = Image.new("RGB", (len(shown) * (tile + margin) + margin, line + rows * (tile + margin)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for column, (title, images) in enumerate(shown.items()):
        left = margin + column * (tile + margin)
        draw.text((left, 2), title, "black", font)
        for row, pixels in enumerate(images):
            image = Image.fromarray(pixels).resize((tile, tile), Image.Resampling.BICUBIC)
            sheet.paste(image, (left, line + row * (tile + margin)))
    return sheet


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
        answer = {"keep_checkpoint": True, "learning_rate": 0.001, "stop_here": False}
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
        page.goto(f"{prefect.url}/artifacts/artifact/{prefect.artifacts(run)['training-curves']['id']}")
        page.get_by_text("validation_combined_score").first.wait_for()
        save(page, "prefect-curves")


def take_tensorboard() -> None:
    with tempfile.TemporaryDirectory(prefix="screenshots.") as temporary:
        workspace = Workspace(clone(Path(temporary, "workspace")))
        workspace.edit_params(sample__train="200", sample__test="40", split__train="200", validation="40")
        workspace.edit_params(split__test="40", encoder="plain", generator__width="8", epochs="12")
        workspace.edit_params(l1_pretrain_epochs="8", ema_decay="0.9", train__sheet_images="6")
        for rate in ("0.001", "0.0002"):
            workspace.edit_params(learning_rate=rate)
            workspace.run(str(BIN / "dvc"), "repro", "train")
        shown = urlencode({"tagFilter": "l1_loss|combined_score|sheet", "smoothing": 0})
        with watching(workspace) as url, open_page(url, f"/?{shown}#timeseries") as page:
            page.get_by_text("sample sheet").first.wait_for()
            page.get_by_role("button", name="Settings").click()  # which are open at first
            save(page, "tensorboard")


def save(page: Page, name: str) -> None:
    page.wait_for_timeout(2000)  # animations
    page.screenshot(path=ROOT / "docs" / f"{name}.png")


if __name__ == "__main__":
    main()
