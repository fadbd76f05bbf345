"""Starting rebuilds as a user does."""

import re
import subprocess

from tests.support.disturbed import newest_epoch, wait_until
from tests.support.workspace import BIN, Workspace

EVERYTHING = (str(BIN / "python"), "-m", "pipeline", "rebuild")
REBUILD = (*EVERYTHING, "train")


def run_id(printed: str) -> str:
    """Find the id of a flow run in the page address that was printed."""
    found = re.search(r"runs/flow-run/([-0-9a-f]{36})", printed)
    assert found, printed
    return found[1]


def start(workspace: Workspace, environment: dict[str, str], epoch: int, *options: str) -> tuple[subprocess.Popen, str]:
    """Start a rebuild and wait until it has trained `epoch`; returns its process and the flow run's id."""
    process = workspace.start(*REBUILD, *options, **environment)
    wait_until(lambda: process.poll() is not None or newest_epoch(workspace) >= epoch)
    assert process.poll() is None, workspace.printed
    return process, run_id(workspace.printed)
