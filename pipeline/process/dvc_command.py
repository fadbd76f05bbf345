"""DVC as a command: how it is called, and what it says when it fails. Prefect is not imported here."""

import sys
from collections.abc import Sequence
from itertools import dropwhile
from pathlib import Path

DVC = (str(Path(sys.executable).with_name("dvc")), "--wait-for-lock")


def error_in(printed: Sequence[str]) -> str:
    """The reason in one line, out of what a command printed: from DVC's `ERROR: ` on, or else the last line."""
    told = list(dropwhile(lambda line: not line.startswith("ERROR: "), printed)) or printed[-1:]
    return " ".join(" ".join(told).removeprefix("ERROR: ").split()) or "it printed nothing"
