"""Shared fixtures, and STRICT=1: every skip but for a missing GPU is a failure."""

import os

import filelock
import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from colorizer.sample import make_sample
from tests.workspace import Workspace, make_miniature

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


@pytest.fixture(scope="session")
def miniature(tmp_path_factory, photographs) -> Workspace:
    """A workspace in which everything has run; copy it, and leave it as it is. Parallel workers share one."""
    folder = (
        tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else tmp_path_factory.getbasetemp()
    )
    with filelock.FileLock(folder / "miniature.lock"):
        path = folder / "miniature"
        if not path.exists():
            path.mkdir()
            make_miniature(path, photographs)
    return Workspace(path)
