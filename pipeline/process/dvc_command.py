"""DVC as a command: how it is called. Prefect is not imported here."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from colorizer.models.commands import PROGRAMS

_WAIT = "--wait-for-lock"
DVC = (*PROGRAMS["dvc"], _WAIT)
_BATCH = Path(__file__).with_name("dvc_batch.py")


def dvc_batch(*commands: Sequence[str]) -> list[str]:
    """The command line that runs several DVC commands in one process; it ends at the first that fails."""
    return [sys.executable, "-P", str(_BATCH), json.dumps([[_WAIT, *command] for command in commands])]
