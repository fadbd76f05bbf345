"""Shared fixtures, and STRICT=1: every skip but for a missing GPU is a failure."""

import os
from pathlib import Path

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
    report = yield
    if os.environ.get("STRICT") == "1" and report.skipped and NO_GPU not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"STRICT=1 allows no skip but '{NO_GPU}': {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def photographs() -> NDArray[np.uint8]:
    """48 + 16 real crops of 32 px as codes (64, 32, 32, 3)."""
    codes, _ = make_sample(size=32, train=48, test=16, min_chroma=6.0, seed=1)
    return codes


def write_raw(root: Path, codes: NDArray, *, counts: tuple[int, ...] | None = None) -> None:
    """Write codes (N, H, W, 3) as raw arrays, the chroma in batches of `counts` images (default: 2/5, 2/5, 1/5)."""
    first, second = len(codes) * 2 // 5, len(codes) * 4 // 5
    edges = np.cumsum(counts)[:-1] if counts else [first, second]
    (root / "l").mkdir(parents=True)
    (root / "ab").mkdir()
    np.save(root / "l" / "gray_scale.npy", codes[..., 0])
    for number, batch in enumerate(np.split(codes[..., 1:], edges), start=1):
        np.save(root / "ab" / f"ab{number}.npy", batch)
