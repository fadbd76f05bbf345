"""Tests of interrupts find SIGINT as a terminal's foreground has it, wherever they are started."""

import signal
import subprocess
import sys

from tests.support.imports import ROOT


def test_a_child_can_be_interrupted():
    child = subprocess.run(["sh", "-c", "kill -INT $$; echo it was ignored"], capture_output=True)
    assert (child.returncode, child.stdout) == (-signal.SIGINT, b"")


def test_so_it_can_where_the_tests_are_started_with_sigint_ignored():
    """As by a script's `&`: the test above, in a pytest of its own."""
    name = test_a_child_can_be_interrupted.__name__
    command = [sys.executable, "-m", "pytest", __file__, "-k", name]
    told = subprocess.run(
        ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *command], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    assert told.returncode == 0, told.stdout
