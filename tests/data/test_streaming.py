"""The data stages count: every pixel written once, and memory that does not grow with the number of images."""

import re
import tracemalloc
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from colorizer.core.store import interleave, iterate_store, open_store, write_store
from colorizer.data.inventory import take_inventory
from colorizer.data.parallel import ordered_map
from colorizer.data.pixel_statistics import measure
from colorizer.data.raw import open_raw, write_raw
from stages.concatenate import concatenate


def bytes_written():
    return int(re.search(r"wchar: (\d+)", Path("/proc/self/io").read_text(encoding="utf-8"))[1])


def test_concatenate_writes_every_pixel_once(tmp_path, monkeypatch, photographs):
    codes = np.tile(photographs, (10, 1, 1, 1))
    write_raw(tmp_path / "raw", codes)
    monkeypatch.chdir(tmp_path)
    before = bytes_written()
    concatenate(SimpleNamespace(data=SimpleNamespace(root="raw")))
    written = bytes_written() - before
    assert codes.nbytes <= written < codes.nbytes + 1000  # the header of the file, and the stage's line
    assert (open_store(Path("data/lab.npy")) == codes).all()


def write_copy(raw, path):
    with closing(ordered_map(lambda span: interleave(*raw.read(span)), raw.spans())) as chunks:
        write_store(path, chunks, (raw.num_images, *raw.image_shape, 3))


WORK = {
    "load": lambda raw, path: take_inventory(raw),
    "concatenate": write_copy,
    "normalize": lambda raw, path: measure(iterate_store(open_store(path), chunk_bytes=2**16)),
}
INVENTORY_BYTES = {"load": 250}  # per image, columns and what sorting them takes


@pytest.mark.parametrize(("name", "dtype"), [*((name, "u1") for name in WORK), ("load", ">i8"), ("concatenate", "f8")])
def test_memory_does_not_grow_with_the_number_of_images(tmp_path, monkeypatch, photographs, name, dtype):
    monkeypatch.setattr("colorizer.data.raw.CHUNK_BYTES", 2**16)

    def peaks(count):
        """Of three runs: how much results wait for their turn depends on the threads."""
        root = tmp_path / str(count)
        write_raw(root, np.tile(photographs, (count // 64, 1, 1, 1)).astype(dtype))
        raw = open_raw(root)
        write_copy(raw, root / "lab.npy")
        WORK[name](raw, root / "lab.npy")  # caches that fill at first
        measured = []
        for _ in range(3):
            tracemalloc.start()
            try:
                WORK[name](raw, root / "lab.npy")
                measured.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
        return measured

    few, many = 640, 4 * 640
    growth = min(peaks(many)) - max(peaks(few))
    assert growth < 300_000 + INVENTORY_BYTES.get(name, 0) * (many - few)  # the pixels grow by 5,900,000
