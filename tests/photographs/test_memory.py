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


def run_within(megabytes: int, workspace: Workspace, *arguments: object) -> tuple[int, list[str]]:
    """Run a command with so much memory beyond that of its packages; gives exit code and lines."""

    def main() -> int:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + megabytes * MEGABYTE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        return run_colorizer(*arguments)

    result = workspace.run_forked(main, check=False)
    return result.returncode, [line for line in result.stdout.splitlines() if "/s, " not in line]


def test_a_photograph_too_large_for_the_memory(miniature, tmp_path):
    Image.new("RGB", (9990, 9990)).save(tmp_path / "large.jpg")
    code, lines = run_within(500, miniature, "colorize", tmp_path, "--out", tmp_path / "out")
    assert lines == [
        f"colorizer: {tmp_path}/large.jpg: out of memory: close other programs, make the photograph smaller, or lower "
        "--size",
        f"colorizer: 0 coloured in {tmp_path}/out; 1 failed",
    ]
    assert code == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_it_costs_none_of_those_that_are_read_beside_it(miniature, tmp_path):
    for number in range(4):
        Image.new("RGB", (1000, 1000 + number)).save(tmp_path / f"{number}.jpg")
    Image.new("RGB", (9990, 9990)).save(tmp_path / "large.jpg")
    code, lines = run_within(400, miniature, "colorize", tmp_path, "--out", tmp_path / "out")
    assert [line.partition(": out")[0] for line in lines] == [
        f"colorizer: {tmp_path}/large.jpg",
        f"colorizer: 4 coloured in {tmp_path}/out; 1 failed",
    ]
    assert code == 1
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_an_import_names_it_and_leaves_nothing_behind(miniature, tmp_path):
    Image.new("RGB", (9990, 9990)).save(tmp_path / "large.png")
    code, lines = run_within(200, miniature, "import", tmp_path, "--out", tmp_path / "out", "--size", "64")
    assert lines == [
        f"colorizer: {tmp_path}/large.png: out of memory: close other programs, or leave the photograph out"
    ]
    assert code == 1
    assert not (tmp_path / "out").exists()


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
