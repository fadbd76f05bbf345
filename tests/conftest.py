"""Shared fixtures, and STRICT=1: every skip but for a missing GPU is a failure."""

import os

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from colorizer.sample import make_sample

NO_GPU = "no GPU"

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return fail_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return fail_if_skipped((yield))


def fail_if_skipped(report):
    if os.environ.get("STRICT") == "1" and report.skipped and NO_GPU not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"STRICT=1 allows no skip but '{NO_GPU}': {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def photographs() -> NDArray[np.uint8]:
    """48 + 16 real crops of 32 px as codes (64, 32, 32, 3)."""
    codes, _ = make_sample(size=32, train=48, test=16, min_chroma=6.0, seed=1)
    return codes
