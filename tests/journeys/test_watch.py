"""Curves of trainings, one of which was killed again and again, as `make watch` serves them."""

import io
import signal

import httpx
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.epochs.test_event_file import points
from tests.support.disturbed import ask_for_training, kill_at, wait_until
from tests.support.tensorboard import watching
from tests.support.workspace import BIN, Workspace


@pytest.fixture
def workspace(committed) -> Workspace:
    """Everything has run; another recipe and more epochs are asked for now."""
    ask_for_training(committed)
    return committed


def names(workspace: Workspace) -> set[str]:
    return {path.name for path in (workspace.path / "logs/tensorboard").iterdir()}


def steps(workspace: Workspace, name: str) -> list[int]:
    return [step for step, _ in points(workspace.path / "logs/tensorboard" / name)]


def served(url: str, name: str, tag: str) -> list[tuple[int, float]]:
    """The points of a curve; none while TensorBoard has not seen it."""
    answer = httpx.get(f"{url}/data/plugin/scalars/scalars", params={"run": name, "tag": tag})
    return [(step, value) for _, step, value in answer.json()] if answer.is_success else []


def assert_served(url: str, history: dict[str, pd.DataFrame]) -> None:
    """Every run has a point for each row of its history."""
    for name, rows in history.items():
        wait_until(lambda name=name, rows=rows: len(served(url, name, "learning_rate")) == len(rows), pause=0.2)
        for tag in ("learning_rate", "losses/l1_loss", "validation/ab_error"):
            column = rows[tag.replace("validation/", "validation_").removeprefix("losses/")]
            expected = [(step, pytest.approx(value)) for step, value in zip(rows["epoch"], column, strict=True)]
            assert served(url, name, tag) == expected


def killed(workspace: Workspace, event: str, part_of_path: str) -> None:
    process = workspace.start(str(BIN / "python"), "-m", "stages.train", **kill_at(event, part_of_path))
    assert process.wait(timeout=120) == -signal.SIGKILL


def test_a_training_killed_around_its_state_has_each_point_once_beside_another(workspace):
    before = names(workspace)
    killed(workspace, "open", ".state-0002")  # with the sheet of an epoch that will be trained again
    [resumed] = names(workspace) - before
    assert steps(workspace, resumed) == [1]
    with watching(workspace) as url:
        killed(workspace, "open", "tfevents")  # after the state of epoch 2, before its point
        assert steps(workspace, resumed) == [1]
        killed(workspace, "os.truncate", "tfevents")  # while the file is replaced
        assert steps(workspace, resumed) == [1]
        workspace.stage("train")
        history = {resumed: pd.read_csv(workspace.path / "reports/history.csv")}
        assert steps(workspace, resumed) == [1, 2, 3, 4]
        workspace.edit_params(learning_rate="0.002", epochs="1")
        workspace.stage("train")
        [other] = names(workspace) - before - {resumed}
        history[other] = pd.read_csv(workspace.path / "reports/history.csv")
        assert_served(url, history)
        parameters = {"run": resumed, "tag": "sample sheet", "sample": 0}
        sheets = httpx.get(f"{url}/data/plugin/images/images", params=parameters).json()
        assert [sheet["step"] for sheet in sheets] == [1, 2, 3, 4]
        scratch = workspace.path / f"scratch/train-{resumed}"
        picture = httpx.get(f"{url}/data/plugin/images/individualImage?{sheets[-1]['query']}").content
        shown, sheet = Image.open(io.BytesIO(picture)), Image.open(scratch / "samples/epoch-0004.png")
        assert shown.size == sheet.size
        assert np.abs(np.asarray(shown, int) - np.asarray(sheet, int)).mean() < 8  # it is a JPEG
    assert "logs" not in workspace.git("status", "--short")
