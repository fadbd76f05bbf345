"""A photograph for which the memory is too small is told in one line."""

import resource
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from colorizer.core.errors import is_out_of_memory
from tests.support.colorizer_command import run_colorizer
from tests.support.workspace import Workspace

MEGABYTE = 2**20


def colorize(workspace: Workspace, megabytes: int, *arguments: object) -> tuple[int, list[str]]:
    """Run the command with so much memory beyond that of its packages; gives exit code and lines."""

    def main() -> int:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + megabytes * MEGABYTE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        return run_colorizer("colorize", *arguments)

    result = workspace.run_forked(main, check=False)
    return result.returncode, [line for line in result.stdout.splitlines() if "img/s" not in line]


def test_a_photograph_too_large_for_the_memory(miniature, tmp_path):
    Image.new("RGB", (9990, 9990)).save(tmp_path / "large.jpg")
    code, lines = colorize(miniature, 500, tmp_path, "--out", tmp_path / "out")
    assert lines == [
        f"colorizer: {tmp_path}/large.jpg: the memory is full: end other programs and run again, make the photograph "
        "smaller, or --size",
        f"colorizer: 0 coloured in {tmp_path}/out; 1 failed",
    ]
    assert code == 1
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    "take",
    [
        lambda: torch.empty(2**58),
        lambda: np.empty(2**58),
        lambda: cv2.resize(np.zeros((9, 9), np.uint8), (2**24, 2**22)),
    ],
)
def test_every_library_says_it_in_its_own_words(take):
    with pytest.raises((MemoryError, RuntimeError, cv2.error)) as caught:
        take()
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
