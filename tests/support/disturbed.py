"""A training to disturb: asking for one in a miniature workspace, and what it leaves behind."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.support.workspace import Workspace


def ask_for_training(workspace: Workspace) -> None:
    """Another recipe, and more epochs, than those that the miniature was made with."""
    workspace.edit_params(l1_weight="90.0", epochs="4", batch_size="4", generator__width="16")


def results(workspace: Workspace) -> dict[str, bytes]:
    """Model, checkpoints, history, sheets, and the state of networks and optimizers."""
    patterns = ("models/**/*.safetensors", "reports/history.csv", "reports/samples/*", "scratch/*/state-0004*")
    paths = [path for pattern in patterns for path in workspace.path.glob(pattern)]
    assert len(paths) == 1 + 4 + 1 + 4 + 1
    return {str(path.relative_to(workspace.path)): path.read_bytes() for path in paths}


def newest_epoch(workspace: Workspace) -> int:
    """The epoch of the newest state of the training that is under way."""
    unfinished = [folder for folder in _folders(workspace) if not (folder / "published.json").exists()]
    return max((int(path.stem[-4:]) for folder in unfinished for path in folder.glob("state-*")), default=0)


def training_process(workspace: Workspace) -> psutil.Process:
    """The process that trains now."""
    owners = [folder / "owner.json" for folder in _folders(workspace)]
    newest = max(owners, key=lambda path: path.stat().st_mtime)
    return psutil.Process(json.loads(newest.read_text())["process"])


def wait_until(condition: Callable[[], object], *, seconds: float = 60, pause: float = 0.02) -> None:
    """Look whether it holds, with pauses: longer ones where looking takes the cores from what is waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause)


def _folders(workspace: Workspace) -> list[Path]:
    return [path.parent for path in workspace.path.glob("scratch/*/owner.json")]
