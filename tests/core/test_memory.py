import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import numpy as np
from colorizer.core.memory import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.ones(64 * 2**20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_large_blocks_are_cleared_once():
    """A page fault is a page (or, of a large page, 512) that the system clears."""
    kept, given_back = (
        int(subprocess.check_output([sys.executable, "-c", SCRIPT, how], encoding="utf-8"))
        for how in ("kept", "given back")
    )
    assert kept < 10
    assert given_back >= 10 * 64 // 2
