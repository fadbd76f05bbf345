"""Trying several settings beside the workspace, disturbed on the way."""

import csv
import json
import re
import shutil
import signal
import subprocess

import numpy as np
import psutil
import pytest

from pipeline.sweeps.candidates import read_scores
from pipeline.sweeps.pruning import FIRST_AT_RANDOM
from pipeline.sweeps.ranges import Range
from pipeline.sweeps.search import Search
from pipeline.workspace.raw_arrays import read_contents
from settings.params_file import read_params
from tests.support.disturbed import newest_epoch, running, training_process, wait_until
from tests.support.rebuilding import REBUILD, run_id
from tests.support.workspace import BIN, FOREIGN_NAME, Workspace

SWEEP = (str(BIN / "python"), "-m", "pipeline", "sweep")
SHORT = "{train.epochs: 1, train.l1_pretrain_epochs: 1}"
# The recipe of the fixture `undisturbed` for more epochs, so that there is time to disturb it.
LONG_EPOCHS = 16
LONG = f"{{train.l1_weight: 90.0, train.epochs: {LONG_EPOCHS}, train.batch_size: 4, train.generator.width: 16}}"
TRIED = ("--candidate", SHORT, "--candidate", LONG, "--at-once", "2")
ON_DASK = ("--dask", "local")


@pytest.mark.thorough  # test_a_killed_search_goes_on_and_stops_what_lags_behind goes this way, without Dask
def test_stopped_and_killed_it_goes_on_and_leaves_the_workspace_alone(committed, prefect, undisturbed):
    """On this machine alone at first, then on a Dask cluster of two workers: of the second one only a worker."""

    def long_workspace() -> Workspace:
        [found] = [path for path in committed.path.glob("scratch/sweep/*/") if _epochs(path) == LONG_EPOCHS]
        return Workspace(found)

    committed.dvc("add", "data/l", "data/ab")
    committed.git("add", "--all")
    committed.git("commit", "--quiet", "--message=Versioned photographs")

    def start(epoch: int, *options: str) -> subprocess.Popen:
        """Start a sweep; returns its process when it has trained one candidate, and the other up to this epoch."""
        process = committed.start(*SWEEP, *TRIED, *options, **prefect.environment)
        wait_until(lambda: process.poll() is not None or "1 of 2, epochs=1" in committed.printed)
        wait_until(lambda: process.poll() is not None or newest_epoch(long_workspace()) >= epoch)
        return process

    def stop(process: subprocess.Popen, how: int) -> int:
        """The exit code of a sweep that gets a signal, with everything gone that it started."""
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(how)
        assert not running(started, seconds=5)
        return process.wait(timeout=30)

    epochs = 0
    for how, options in ((signal.SIGINT, ()), (signal.SIGKILL, ON_DASK)):
        code = 130 if how == signal.SIGINT else -how
        assert stop(start(epochs + 1, *options), how) == code
        epochs = newest_epoch(long_workspace())

    process = start(epochs + 1, *ON_DASK)
    training = training_process(long_workspace())
    [worker] = [parent for parent in training.parents() if parent.ppid() == process.pid]
    worker.kill()
    assert process.wait(timeout=60) == 0
    printed = committed.printed
    assert printed.count("Stage 'train' didn't change, skipping") == 1
    assert printed.count("train: resuming after epoch") == 2
    assert not committed.git("status", "--short")
    assert committed.dvc("status").stdout == "Data and pipelines are up to date.\n"

    # The same as on one machine: every score, and so the ranking.
    history = (long_workspace().path / "reports/history.csv").read_bytes()
    assert history.startswith(undisturbed["reports/history.csv"])

    run = run_id(printed)
    [ranking] = [json.loads(artifact["data"]) for artifact in prefect.artifacts(run).values()]
    assert [row["rank"] for row in ranking] == [1, 2]
    assert ranking[0]["validation.combined_score"] < ranking[1]["validation.combined_score"]
    with (committed.path / "scratch/sweep/ranking.csv").open(encoding="utf-8") as file:
        assert [row["train.epochs"] for row in csv.DictReader(file)] == [str(row["train.epochs"]) for row in ranking]
    trained = {path.name.removeprefix("train-") for path in committed.path.glob("scratch/sweep/*/scratch/train-*")}
    assert trained
    assert trained <= {path.name for path in (committed.path / "logs/tensorboard").iterdir()}

    [options] = re.findall(r"to take the best: python -m pipeline rebuild (.*)", printed)
    best = committed.run(*REBUILD, *options.split(), **prefect.environment)
    assert prefect.task_runs(run_id(best.stdout))["train"]["state"]["name"] == "Restored"

    # DVC gives the same values the same names.
    committed.stage("evaluate")
    shown, *_ = csv.DictReader(committed.dvc("exp", "show", "--csv").stdout.splitlines())
    compared = {name: value for name, value in ranking[0].items() if name not in ("rank", "Experiment") and value != ""}
    assert "validation.combined_score" in compared
    assert {name: float(shown[name]) for name in compared} == compared


def test_a_killed_search_goes_on_and_stops_what_lags_behind(committed, prefect):
    """After trainings that are better than any of these images can be: the next one is finished, the last pruned."""
    committed.edit_params(epochs=str(LONG_EPOCHS), batch_size="4", generator__width="16")
    values = {"train.learning_rate": Range(low=1e-4, high=1e-3, log=True)}
    parent = committed.path / "scratch/sweep"
    parent.mkdir(parents=True)
    earlier = Search(committed.path, parent, values, read_contents(committed.path), FIRST_AT_RANDOM - 1)
    for candidate, pruner in earlier.candidates():
        history = candidate.workspace / "reports/history.csv"
        history.parent.mkdir()
        rows = [f"{epoch},0.001" for epoch in range(1, LONG_EPOCHS + 1)]
        history.write_text("\n".join(["epoch,validation_combined_score", *rows, ""]), encoding="utf-8")
        pruner.finish()
        earlier.record(candidate, read_scores(candidate))

    search = ("--search", str(FIRST_AT_RANDOM + 1), "--grid", "train.learning_rate=log(1e-4, 1e-3)")
    process = committed.start(*SWEEP, *search, **prefect.environment)

    def training() -> list[Workspace]:
        return [Workspace(path.parents[2]) for path in parent.glob("*/scratch/*/owner.json")]

    wait_until(lambda: process.poll() is not None or any(newest_epoch(found) >= 1 for found in training()))
    started = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    assert not running(started, seconds=5)

    result = committed.run(*SWEEP, *search, **prefect.environment)
    assert result.stdout.count("train: resuming after epoch") == 1
    run = prefect.run(run_id(result.stdout))
    assert run["state"]["message"].startswith("5 of 6 trained, 1 pruned; the best: learning_rate=")
    assert sorted(task["state"]["name"] for task in prefect.task_runs(run["id"]).values()) == ["Completed", "Pruned"]
    with (parent / "ranking.csv").open(encoding="utf-8") as file:
        [*ranked, pruned] = csv.DictReader(file)
    assert [row["rank"] for row in ranked] == ["1", "2", "3", "4", "5"]
    assert pruned["rank"] == "pruned"
    assert int(pruned["epoch"]) == 2  # after the epoch of L1 alone
    assert not (parent / pruned["Experiment"] / "reports/history.csv").exists()  # it was stopped


@pytest.mark.thorough
def test_other_arrays_are_tried_anew_wherever_the_project_lies(committed, tmp_path, prefect):
    """In a folder with a blank, an umlaut and Chinese letters, beside data of DVC that are not here."""
    workspace = Workspace(committed.path.rename(tmp_path / FOREIGN_NAME))
    (workspace.path / "album.bin").write_text("not of this pipeline\n", encoding="utf-8")
    workspace.dvc("add", "album.bin")
    for path in (workspace.path / "album.bin", *workspace.path.glob(".dvc/cache/files/md5/*/*")):
        if path.name in (workspace.path / "album.bin.dvc").read_text(encoding="utf-8") or path.name == "album.bin":
            path.unlink()
    arrays = workspace.path / "data/l"
    shutil.move(arrays, tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    codes = np.load(tmp_path / "second/gray_scale.npy")
    codes ^= 1  # one pixel would change no digit of the scores
    np.save(tmp_path / "second/gray_scale.npy", codes)

    def sweep(target: str) -> tuple[str, str]:
        """What is printed, and the score."""
        arrays.unlink(missing_ok=True)
        arrays.symlink_to(tmp_path / target)
        result = workspace.run(*SWEEP, "--candidate", SHORT, **prefect.environment, LC_ALL="C")
        with (workspace.path / "scratch/sweep/ranking.csv").open(encoding="utf-8") as file:
            [row] = csv.DictReader(file)
        return result.stdout, row["validation.ab_error"]

    first = sweep("first")[1]
    printed, again = sweep("first")
    assert again == first
    assert "Stage 'train' didn't change, skipping" in printed
    printed, second = sweep("second")
    assert "Running stage 'train'" in printed
    assert second != first


@pytest.mark.thorough
def test_settings_that_diverge_are_told_and_not_tried_again(committed, prefect):
    committed.edit_params(epochs="1")
    search = ("--search", "1", "--grid", "train.l1_weight=log(1e307, 1e308)")

    def sweep() -> str:
        result = committed.run(*SWEEP, *search, check=False, **prefect.environment)
        assert result.returncode == 1
        message = prefect.run(run_id(result.stdout))["state"]["message"]
        assert message.startswith("0 of 1 trained; failed: l1_weight=")
        assert "training diverged" in message
        return result.stdout

    assert "Running stage 'train'" in sweep()
    assert "Running stage" not in sweep()


def test_what_cannot_be_tried_is_refused_before_anything_runs(committed, prefect):
    grid = ("--grid", "train.l1_pretrain_epochs=[1, 99, 1]")  # the first and the last could be tried
    result = committed.run(*SWEEP, *grid, check=False, **prefect.environment)
    assert result.returncode == 1
    message = prefect.run(run_id(result.stdout))["state"]["message"]
    assert "l1_pretrain_epochs is 99 but there are only" in message
    assert "Traceback" not in result.stdout
    assert not [*committed.path.glob("scratch/sweep/*/dvc.yaml")]

    for options, told in (
        (["--candidate", "{train.epoch: 3}"], '{"train.epoch": 3}: train.epoch is not a known key: did you mean epo'),
        (["--grid", "train.start_from=[null, pretrained/none]"], "pretrained/none is missing, which train.start_from"),
        ([], "nothing to try: give values, `--grid 'train.seed=[0, 1]'` for example"),
        (["--grid", "train.epochs=3"], "--grid train.epochs: it is 3; give a list of values, `train.epochs=[1, 2]`"),
        (
            ["--search", "3", "--grid", "train.learning_rate=log(3e-3, 1e-4)"],
            "--grid train.learning_rate: log(3e-3, 1e-4) is no range: the first number has to be smaller",
        ),
    ):
        result = committed.run(*SWEEP, *options, check=False)
        assert result.returncode == 1
        [line] = result.stdout.splitlines()
        assert line.startswith(f"pipeline: {told}")


def _epochs(workspace) -> int:
    return read_params(workspace / "params.yaml").train.epochs
