"""TensorBoard, as `make watch` starts it."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.disturbed import wait_until
from tests.support.workspace import BIN, Workspace

_ADDRESS = re.compile(r"TensorBoard \S+ at (http://127\.0\.0\.1:\d+)/")


@contextmanager
def watching(workspace: Workspace) -> Iterator[str]:
    """Run `make watch` with the packages of this process until the block ends; yields the address that it prints."""
    environment = workspace.path / ".venv"
    if not environment.exists():
        environment.symlink_to(BIN.parent)
    process = workspace.start("make", "--old-file=.venv/.runtime", "watch")  # without a set-up
    wait_until(lambda: _ADDRESS.search(workspace.printed) or process.poll() is not None, pause=0.2)
    yield _ADDRESS.search(workspace.printed)[1]
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()
