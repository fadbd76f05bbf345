"""Helpers for tests that interrupt a training: change its params, find or kill its process, read its files."""

import json
import time
from collections.abc import Callable, Collection
from pathlib import Path

import psutil

from tests.support.workspace import Workspace


def ask_for_training(workspace: Workspace) -> None:
    """Change params.yaml so that the next `dvc repro` trains: another recipe, more epochs."""
    workspace.edit_params(l1_weight="90.0", epochs="4", batch_size="4", generator__width="16")


def results(workspace: Workspace, epochs: int = 4) -> dict[str, bytes]:
    """Model, checkpoints, history, sheets, and the state of networks and optimizers, after so many epochs."""
    state = f"scratch/*/state-{epochs:04d}*"
    patterns = (
        "models/generator.safetensors",
        "models/checkpoints/*",
        "reports/history.csv",
        "reports/samples/*",
        state,
    )
    paths = [path for pattern in patterns for path in workspace.path.glob(pattern)]
    assert len(paths) == 1 + epochs + 1 + epochs + 1
    return {str(path.relative_to(workspace.path)): path.read_bytes() for path in paths}


def newest_epoch(workspace: Workspace) -> int:
    """The epoch of the newest state of the training that is under way."""
    unfinished = [folder for folder in _folders(workspace) if not (folder / "published.json").exists()]
    return max((int(path.stem[-4:]) for folder in unfinished for path in folder.glob("state-*")), default=0)


def training_process(workspace: Workspace) -> psutil.Process:
    """The process that trains now."""
    owners = [folder / "owner.json" for folder in _folders(workspace)]
    newest = max(owners, key=lambda path: path.stat().st_mtime)
    return psutil.Process(json.loads(newest.read_text(encoding="utf-8"))["process"])


def kill_at(event: str, part_of_path: str) -> dict[str, str]:
    """Environment in which a command's whole process group is killed at this moment: see kill_at/sitecustomize.py."""
    return {"PYTHONPATH": str(Path(__file__).parent / "kill_at"), "KILL_AT": f"{event} {part_of_path}"}


def running(processes: Collection[psutil.Process], *, seconds: float) -> list[psutil.Process]:
    """Those of the processes that still run after so many seconds; returns as soon as none does.

    One that has ended and was not collected by its new parent, init, yet has ended all the same.
    """
    deadline = time.monotonic() + seconds
    while (left := [process for process in processes if not _has_ended(process)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def wait_until(condition: Callable[[], object], *, seconds: float = 60, pause: float = 0.02) -> None:
    """Poll `condition` every `pause` seconds; fail after `seconds`. Use a longer pause where polling itself is slow."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause)


def _folders(workspace: Workspace) -> list[Path]:
    return [path.parent for path in workspace.path.glob("scratch/*/owner.json")]


def _has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
