"""`python -m colorizer` in this process: starting another takes seconds."""

import sys

import pytest

from colorizer import __main__ as command


def run_colorizer(*arguments: object) -> int:
    """Run it in the working directory; gives its exit code."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sys, "argv", ["colorizer", *map(str, arguments)])
        try:
            command.main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0
