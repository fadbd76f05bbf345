"""Starting rebuilds as a user does."""

import re
import subprocess

from tests.support.disturbed import newest_epoch, wait_until
from tests.support.workspace import BIN, Workspace

EVERYTHING = (str(BIN / "python"), "-m", "pipeline", "rebuild")
REBUILD = (*EVERYTHING, "train")


def run_id(printed: str) -> str:
    """Of the flow run whose page was printed."""
    found = re.search(r"runs/flow-run/([-0-9a-f]{36})", printed)
    assert found, printed
    return found[1]


def start(workspace: Workspace, environment: dict[str, str], epoch: int, *options: str) -> tuple[subprocess.Popen, str]:
    """A rebuild that has trained this epoch, and its id."""
    process = workspace.start(*REBUILD, *options, **environment)
    wait_until(lambda: process.poll() is not None or newest_epoch(workspace) >= epoch)
    assert process.poll() is None, workspace.printed
    return process, run_id(workspace.printed)
