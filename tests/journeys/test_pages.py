"""What a person sees in the browser: the run's page, the form of a review, the artifacts. No other host is asked."""

from contextlib import suppress

import httpx
import pytest
from playwright.sync_api import Locator
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from settings.params_file import read_params
from tests.support.browser import BROWSER, open_prefect
from tests.support.disturbed import ask_for_training, wait_until
from tests.support.rebuilding import REBUILD, run_id
from tests.support.workspace import Workspace

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on the PATH")


def test_a_review_is_answered_on_the_page(committed: Workspace, prefect):
    ask_for_training(committed)
    process = committed.start(*REBUILD, "--review", **prefect.environment)
    wait_until(lambda: "waiting up to 60 minutes" in committed.printed or process.poll() is not None)
    run = run_id(committed.printed)
    wait_until(lambda: prefect.run(run)["state"]["type"] == "PAUSED", pause=0.2)
    wait_until(lambda: "training-curves" in prefect.artifacts(run), pause=0.2)
    with open_prefect(prefect.url, prefect.password) as page:
        page.goto(f"{prefect.url}/runs/flow-run/{run}")
        page.get_by_text("> python -m stages.train").wait_for()  # a line of the live log
        page.get_by_role("button", name="Resume").click()
        form = page.get_by_role("dialog")
        form.get_by_role("heading", name="epoch 1 of 4").wait_for()
        assert form.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
        form.locator("input[type=number]").fill("0.0003")
        form.get_by_role("switch").last.click()  # Stop here?
        wait_until(lambda: submitted(form))
        page.goto("about:blank")  # a live page would take the cores that the training needs
        assert process.wait(timeout=60) == 0
        [decision] = read_params(committed.path / "params.yaml").train.decisions
        assert (decision.save, decision.learning_rate, decision.stop) == (True, 0.0003, True)

        page.goto(f"{prefect.url}/runs/flow-run/{run}")
        page.get_by_text("Completed").first.wait_for()
        page.get_by_text("Artifacts", exact=True).click()
        page.get_by_text("training-sample").first.wait_for()
        sample = prefect.artifacts(run)["training-sample"]
        page.goto(f"{prefect.url}/artifacts/artifact/{sample['id']}")
        picture = page.locator("img[src^='data:image/jpeg']")
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
        page.goto(f"{prefect.url}/artifacts/artifact/{prefect.artifacts(run)['training-curves']['id']}")
        page.get_by_text("validation_combined_score").first.wait_for()


def submitted(form: Locator) -> bool:
    """Press Submit, as a person does again when the form stays: while it checks what was typed, it may not listen."""
    with suppress(PlaywrightTimeout):
        form.get_by_role("button", name="Submit").click(timeout=5_000)
        form.wait_for(state="hidden", timeout=5_000)
    return form.is_hidden()


def test_nobody_is_answered_without_the_password(prefect):
    for path in ("flow_runs/count", "deployments/count", "artifacts/count"):
        assert httpx.post(f"{prefect.url}/api/{path}").status_code == 401
        assert httpx.post(f"{prefect.url}/api/{path}", auth=("tests", "wrong")).status_code == 401
        assert isinstance(prefect.ask(path), int)
