"""A training that asks, in a real terminal."""

import pexpect

from tests.support.workspace import BIN, Workspace


def train_in_terminal(workspace: Workspace) -> pexpect.spawn:
    """Start train_gan.py in the workspace, in a terminal of 24 lines."""
    return pexpect.spawn(
        str(BIN / "python"),
        ["train_gan.py"],
        cwd=workspace.path,
        env=workspace.environment,
        timeout=60,
        encoding="utf-8",
        dimensions=(24, 200),
    )
