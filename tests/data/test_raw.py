import gzip
import os
import shutil

import numpy as np
import pytest

from colorizer.core.errors import UserError
from colorizer.data.raw import open_raw, write_raw
from colorizer.data.raw_files import find_chroma_files


@pytest.fixture
def codes():
    return np.random.default_rng(0).integers(0, 256, (10, 6, 8, 3), dtype=np.uint8)


def joined(raw):
    parts = [raw.read(span) for span in raw.spans()]
    return np.concatenate([np.concatenate([lightness[..., None], chroma], axis=-1) for lightness, chroma in parts])


def test_reads_what_was_written(tmp_path, codes):
    write_raw(tmp_path, codes)
    raw = open_raw(tmp_path)
    assert raw.num_images == 10
    assert raw.image_shape == (6, 8)
    assert (joined(raw) == codes).all()


def test_accepts_the_nested_archive_and_a_channel_axis(tmp_path, codes):
    write_raw(tmp_path, codes)
    (tmp_path / "ab").rename(tmp_path / "nested")
    (tmp_path / "ab").mkdir()
    (tmp_path / "nested").rename(tmp_path / "ab" / "ab")
    np.save(tmp_path / "l" / "gray_scale.npy", codes[..., :1])
    assert (joined(open_raw(tmp_path)) == codes).all()


def test_accepts_floats_that_hold_codes(tmp_path, codes):
    write_raw(tmp_path, codes.astype(np.float32))
    assert (joined(open_raw(tmp_path)) == codes).all()


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)], ids=["header 1", "header 2", "header 3"])
@pytest.mark.parametrize("dtype", [f"{order}{kind}" for kind in ("u2", "i4", "i8", "f2", "f8") for order in "<>"])
def test_accepts_what_other_tools_save(tmp_path, codes, dtype, version, layout):
    write_raw(tmp_path, codes)
    for path in tmp_path.rglob("*.npy"):
        with path.open("r+b") as file:
            array = np.asarray(np.load(file), dtype, order=layout)
            file.seek(0)
            np.lib.format.write_array(file, array, version)
    raw = open_raw(tmp_path)
    assert raw.lightness.dtype == dtype
    assert (joined(raw) == codes).all()
    assert all(part.flags.c_contiguous for span in raw.spans() for part in raw.read(span))
    assert (raw.spread()[1] == codes[..., 1:]).all()


def test_batches_come_in_natural_order(tmp_path):
    codes = np.arange(12, dtype=np.uint8)[:, None, None, None] * np.ones((4, 4, 3), np.uint8)
    write_raw(tmp_path, codes)
    for number in range(12):
        np.save(tmp_path / f"ab/ab{number + 1}.npy", codes[number : number + 1, ..., 1:])
    assert [path.name for path in find_chroma_files(tmp_path)][:3] == ["ab1.npy", "ab2.npy", "ab3.npy"]
    assert joined(open_raw(tmp_path))[:, 0, 0, 1].tolist() == list(range(12))


def test_spans_stay_small(tmp_path, monkeypatch, codes):
    write_raw(tmp_path, codes)
    monkeypatch.setattr("colorizer.data.raw.CHUNK_BYTES", 2 * 6 * 8 * 3)
    raw = open_raw(tmp_path)
    assert max(span.count for span in raw.spans()) == 2
    assert (joined(raw) == codes).all()


def test_a_spread_takes_images_from_every_batch(tmp_path, monkeypatch, codes):
    write_raw(tmp_path, codes)
    monkeypatch.setattr("colorizer.data.raw.SPREAD_BYTES", 4 * 6 * 8 * 3)
    lightness, chroma = open_raw(tmp_path).spread()
    assert (lightness == codes[[0, 3, 6, 9], ..., 0]).all()
    assert (chroma == codes[[0, 3, 6, 9], ..., 1:]).all()


def replace(root, name, array):
    np.save(root / name, array)


def cut(root, name):
    content = (root / name).read_bytes()
    (root / name).write_bytes(content[:-1])


def double(root, name):
    with (root / name).open("ab") as file:
        np.save(file, np.load(root / name))


def header(root, name, *, version=(1, 0), shape="(4, 6, 8, 2)", text=None):
    text = (text or f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}").ljust(117) + "\n"
    content = b"\x93NUMPY" + bytes(version) + len(text).to_bytes(2, "little") + text.encode()
    (root / name).write_bytes(content + bytes(4 * 6 * 8 * 2))


def flatten(root, codes):
    shutil.rmtree(root)
    write_raw(root, codes[:, :0])


L, AB1, AB2 = "l/gray_scale.npy", "ab/ab1.npy", "ab/ab2.npy"
BAD_INPUTS = {
    "no lightness": (lambda root, codes: (root / L).unlink(), "gray_scale.npy is missing"),
    "no chroma": (lambda root, codes: [path.unlink() for path in (root / "ab").iterdir()], "holds no ab1.npy"),
    "no lightness folder": (lambda root, codes: shutil.rmtree(root / "l"), "set data.root"),
    "no chroma folder": (lambda root, codes: shutil.rmtree(root / "ab"), "set data.root"),
    "the same batch twice": (lambda root, codes: replace(root, "ab/ab02.npy", codes[4:8, ..., 1:]), "both batch 2"),
    "a folder": (lambda root, codes: [(root / AB1).unlink(), (root / AB1).mkdir()], "cannot be read"),
    "a broken link": (lambda root, codes: [(root / AB1).unlink(), (root / AB1).symlink_to("gone")], "cannot be read"),
    "a version from the future": (lambda root, codes: header(root, AB1, version=(9, 9)), "version 9.9 is unknown"),
    "a broken header": (lambda root, codes: header(root, AB1, text="{'descr': '|u1', 'shape': (("), "cannot be read"),
    "a negative shape": (lambda root, codes: header(root, AB1, shape="(-4, 6, 8, 2)"), "is impossible"),
    "a boolean in the shape": (lambda root, codes: header(root, AB1, shape="(True, 6, 8, 2)"), "is impossible"),
    "an absurd shape": (
        lambda root, codes: header(root, AB1, shape="(4294967296, 4294967296, 4294967296, 2)"),
        "trunc",
    ),
    "images without height": (lambda root, codes: flatten(root, codes), "0 x 8: at least 4 x 4"),
    "a batch missing in the row": (lambda root, codes: (root / AB2).rename(root / "ab/ab4.npy"), "but no ab2.npy: put"),
    "the first batch missing": (lambda root, codes: (root / AB1).rename(root / "ab/ab4.npy"), "but no ab1.npy: put it"),
    "a batch by another name": (
        lambda root, codes: max(root.glob("ab/*.npy")).rename(root / "ab/ab3 (1).npy"),
        r"ab3 \(1\)\.npy in .*/ab are not named like batches",
    ),
    "a second array behind": (lambda root, codes: double(root, AB2), "ab2.npy goes on behind the end of its array"),
    "a byte behind": (
        lambda root, codes: (root / L).write_bytes((root / L).read_bytes() + b" "),
        "gray_scale.npy goes on behind the end",
    ),
    "a pipe": (lambda root, codes: [(root / AB1).unlink(), os.mkfifo(root / AB1)], "neither a file nor a folder"),
    "a link to itself": (lambda root, codes: [(root / L).unlink(), (root / L).symlink_to("gray_scale.npy")], "a link"),
    "a folder of lightness": (lambda root, codes: [(root / L).unlink(), (root / L).mkdir()], "it is a folder"),
    "no header": (lambda root, codes: (root / AB1).write_bytes(b"\x93NUMPY\x01\x00"), "cannot be read as a .npy file"),
    "a header too long": (
        lambda root, codes: (root / AB1).write_bytes(b"\x93NUMPY\x01\x00\xff\xffx"),
        "cannot be read",
    ),
    "a program as header": (lambda root, codes: header(root, AB1, text="__import__('os').abort()"), "cannot be read"),
    "an unknown key": (lambda root, codes: header(root, AB1, text="{'descr': '|u1', 'order': 'C'}"), "cannot be read"),
    "an unknown type": (
        lambda root, codes: header(root, AB1, text="{'descr': '|q9', 'fortran_order': False, 'shape': (4, 6, 8, 2)}"),
        "cannot be read",
    ),
    "an archive": (
        lambda root, codes: [np.savez(root / "ab/a", codes), (root / "ab/a.npz").rename(root / AB1)],
        "magic",
    ),
    "compressed": (lambda root, codes: (root / L).write_bytes(gzip.compress((root / L).read_bytes())), "magic string"),
    "no axis": (lambda root, codes: replace(root, L, np.uint8(3)), r"shape \(\)"),
    "booleans": (lambda root, codes: replace(root, L, codes[..., 0] > 9), "dtype bool"),
    "complex numbers": (lambda root, codes: replace(root, L, codes[..., 0] * 1j), "dtype complex128"),
    "texts": (lambda root, codes: replace(root, L, codes[..., 0].astype("U3")), "dtype <U3"),
    "dates": (lambda root, codes: replace(root, L, codes[..., 0].astype("M8[s]")), "dtype datetime64"),
    "fields": (lambda root, codes: replace(root, L, codes.view("u1, u1, u1")[..., 0]), r"dtype \[\('f0', 'u1'\)"),
    "truncated": (lambda root, codes: cut(root, AB2), "ab2.npy is truncated"),
    "empty file": (lambda root, codes: (root / AB1).write_bytes(b""), "ab1.npy cannot be read as a .npy file"),
    "another format": (
        lambda root, codes: (root / L).write_text("PK not an array", encoding="utf-8"),
        "cannot be read as a .npy file",
    ),
    "pickled": (lambda root, codes: replace(root, AB1, np.array([{}, []], dtype=object)), "pickled Python objects"),
    "wrong dtype": (lambda root, codes: replace(root, L, codes[..., 0].view("V1")), r"dtype \|V1"),
    "wrong rank": (lambda root, codes: replace(root, L, codes[0, ..., 0]), r"shape \(6, 8\)"),
    "rgb as lightness": (lambda root, codes: replace(root, L, codes), r"shape \(10, 6, 8, 3\)"),
    "three chroma channels": (lambda root, codes: replace(root, AB1, codes[:4]), r"shape \(4, 6, 8, 3\)"),
    "other size": (lambda root, codes: replace(root, AB2, codes[4:8, :5, :, 1:]), "5 x 8 .* 6 x 8"),
    "a batch too few": (lambda root, codes: (root / "ab/ab3.npy").unlink(), "10 images but the chroma batches 8"),
    "an image too many": (lambda root, codes: replace(root, AB1, codes[:5, ..., 1:]), "batches 11 .ab1.npy 5"),
    "no images": (lambda root, codes: replace(root, L, codes[:0, ..., 0]), "hold 0 and 10 images"),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_input_is_one_clear_line(tmp_path, codes, name):
    spoil, message = BAD_INPUTS[name]
    write_raw(tmp_path, codes)
    spoil(tmp_path, codes)
    with pytest.raises(UserError, match=message) as caught:
        open_raw(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        *((value, np.float64) for value in (np.nan, -1.0, 255.5, np.inf, 0.5)),
        *((value, np.float16) for value in (np.nan, -np.inf, 256, 0.25)),
        *((value, ">f4") for value in (300, 0.02)),
        *((value, np.int64) for value in (-1, 256, 2**40)),
        (256, np.uint16),
        (-1, np.int8),
        (2**63, ">u8"),
    ],
)
def test_numbers_that_are_no_codes_name_the_place(tmp_path, codes, value, dtype):
    spoiled = (codes // 2).astype(dtype)
    spoiled[7, 3, 2, 1] = spoiled[7, 4, 0, 1] = spoiled[8, 0, 0, 2] = value
    write_raw(tmp_path, spoiled)
    with pytest.raises(UserError, match=r"ab/ab2\.npy: image 3 has values that are no .* at row 3, column 2: expected"):
        joined(open_raw(tmp_path))
