"""A photograph for which the memory is too small is told in one line."""

import resource
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from colorizer.core.errors import is_out_of_memory
from colorizer.models.model import load_model
from colorizer.models.registry import MODEL_PATH
from colorizer.photographs.batch import colorize_photographs
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.jobs import plan_jobs
from tests.support.colorizer_command import run_colorizer
from tests.support.workspace import Workspace

MEGABYTE = 2**20
ELSE = 210  # megabytes: model, threads, bands of floats


def run_within(megabytes: int, workspace: Workspace, *arguments: object) -> tuple[int, list[str]]:
    """Run a command with so much memory beyond that of its packages; gives exit code and lines."""

    def main() -> int:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + megabytes * MEGABYTE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        return run_colorizer(*arguments)

    result = workspace.run_forked(main, check=False)
    return result.returncode, [line for line in result.stdout.splitlines() if "/s, " not in line]


@pytest.fixture(scope="module", autouse=True)
def used_before(miniature, tmp_path_factory):
    """The first use of a model takes more: PyTorch makes its twin. And forks have imported what this has."""
    folder = tmp_path_factory.mktemp("used")
    Image.new("L", (64, 64)).save(folder / "small.png")
    model = miniature.path / MODEL_PATH
    assert run_colorizer("colorize", folder / "small.png", "--out", folder / "out", "--model", model) == 0


def test_a_photograph_too_large_for_the_memory(miniature, tmp_path):
    Image.new("RGB", (9990, 9990)).save(tmp_path / "large.jpg")
    code, lines = run_within(350, miniature, "colorize", tmp_path, "--out", tmp_path / "out")
    assert lines == [
        f"colorizer: {tmp_path}/large.jpg: out of memory: close other programs, make the photograph smaller, or lower "
        "--size",
        f"colorizer: 0 coloured in {tmp_path}/out; 1 failed",
    ]
    assert code == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_a_scan_takes_eight_bytes_a_pixel(miniature, tmp_path):
    """Grey of 16 bits: 2 bytes a pixel to read and 6 to write; floats and compressed bytes are there of bands only."""
    megapixels = 20
    Image.new("I;16", (5000, 4000), 20_000).save(tmp_path / "scan.tif")
    code, lines = run_within(megapixels * 8 + ELSE, miniature, "colorize", tmp_path, "--out", tmp_path / "out")
    assert lines == [f"colorizer: 1 coloured in {tmp_path}/out"]
    assert code == 0


class FullAtFirst(Colorizer):
    """A colorizer on a machine that has memory for a photograph at the second try only, and never for a wide one."""

    @cached_property
    def tried(self) -> set[tuple[int, int]]:
        return set()

    def recolor(self, photograph, network_input, ab, pool=None):
        if photograph.size not in self.tried or photograph.size[1] == 99:
            self.tried.add(photograph.size)
            np.empty(2**58)
        return super().recolor(photograph, network_input, ab, pool)


def test_it_costs_none_of_those_that_are_read_beside_it(miniature, tmp_path):
    model = load_model(miniature.path / MODEL_PATH)
    for width in (40, 41, 42, 99):
        Image.new("RGB", (width, 32)).save(tmp_path / f"{width}.png")
    done: list[int] = []
    jobs = plan_jobs([tmp_path], tmp_path / "out", "png")
    colorizer = FullAtFirst(model=model, size=model.info.training_size)
    summary = colorize_photographs(jobs, colorizer, "png", on_done=done.append)
    advice = "out of memory: close other programs, make the photograph smaller, or lower --size"
    assert (summary.colored, summary.failed) == (3, [f"{tmp_path}/99.png: {advice}"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["40.png", "41.png", "42.png"]
    assert sum(done) == 4


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
