"""The flow that colours a folder in shards: in threads, on a Dask cluster, killed, and started again."""

import os
import signal
from pathlib import Path

import psutil
import pytest
from PIL import Image

from colorizer.data.sample import built_in_photographs
from tests.support.disturbed import running, wait_until
from tests.support.rebuilding import run_id
from tests.support.workspace import BIN, Workspace

COMMAND = (str(BIN / "python"), "-m", "pipeline", "colorize-folder")


@pytest.fixture
def album(committed: Workspace) -> Path:
    """Six photographs in the workspace."""
    folder = committed.path / "album" / "trips"
    folder.mkdir(parents=True)
    for name, pixels in list(built_in_photographs())[:6]:
        Image.fromarray(pixels).convert("L").save((folder / name).with_suffix(".png"))
    return committed.path / "album"


def coloured(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in (workspace.path / "out").rglob("*.png") if not path.name.startswith("."))


def test_a_dask_cluster_of_two_workers(committed, album, prefect):
    told = committed.run(
        *COMMAND,
        "album",
        "--out",
        "out",
        "--shard-size",
        "3",
        "--at-once",
        "2",
        "--dask",
        "local",
        **prefect.environment,
    )
    assert coloured(committed) == sorted(path.name for path in album.rglob("*.png"))
    run = run_id(told.stdout)
    assert prefect.run(run)["state"]["message"] == "6 photographs are coloured in out"
    tasks = prefect.task_runs(run)
    assert sorted(tasks) == ["shard 1/2", "shard 2/2"]
    assert all(task["state"]["message"] == "3 coloured in out" for task in tasks.values())
    starts, ends = (sorted(task[time] for task in tasks.values()) for time in ("start_time", "end_time"))
    assert starts[1] < ends[0]  # at the same time


def test_a_killed_run_goes_on_and_a_bad_file_stops_nothing(committed, album, prefect):
    (album / "zebra.jpg").write_text("not a photograph", encoding="utf-8")
    process = committed.start(*COMMAND, "album", "--out", "out", "--shard-size", "1", **prefect.environment)
    wait_until(lambda: len(coloured(committed)) >= 2 or process.poll() is not None)
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not running(children, seconds=5)
    done = {path: path.stat().st_mtime_ns for path in (committed.path / "out").rglob("[!.]*.png")}
    assert 2 <= len(done) < 6

    told = committed.run(*COMMAND, "album", "--out", "out", "--shard-size", "4", check=False, **prefect.environment)
    assert told.returncode == 1
    assert len(coloured(committed)) == 6
    assert {path: path.stat().st_mtime_ns for path in done} == done
    state = prefect.run(run_id(told.stdout))["state"]
    assert state["type"] == "FAILED"
    assert state["message"].startswith("1 of 2 shards failed: colorize failed with exit code 1")
    assert "zebra.jpg is not a JPEG" in state["message"]


def test_an_empty_folder_is_not_this_one(miniature):
    """As an unset variable of a shell gives it."""
    told = miniature.run(*COMMAND, "", "--out", "out", check=False)
    assert told.returncode == 1
    assert (
        told.stdout == "pipeline: an argument is empty: as a path it would be this folder; write . if that is meant\n"
    )
