"""DVC as a command: how it is called, and what it says when it fails. Prefect is not imported here."""

import json
import sys
from collections.abc import Sequence
from itertools import dropwhile
from pathlib import Path

_WAIT = "--wait-for-lock"
DVC = (sys.executable, "-P", "-m", "dvc", _WAIT)  # the program `dvc` fails in a .venv that was moved
_BATCH = Path(__file__).with_name("dvc_batch.py")


def dvc_batch(*commands: Sequence[str]) -> list[str]:
    """The command line that runs several DVC commands in one process; it ends at the first that fails."""
    return [sys.executable, "-P", str(_BATCH), json.dumps([[_WAIT, *command] for command in commands])]


def error_in(printed: Sequence[str]) -> str:
    """Extract the reason of a failure, in one line, from a command's output: DVC's `ERROR:`, or else the last line."""
    told = list(dropwhile(lambda line: not line.startswith("ERROR: "), printed)) or printed[-1:]
    return " ".join(" ".join(told).removeprefix("ERROR: ").split()) or "it printed nothing"
