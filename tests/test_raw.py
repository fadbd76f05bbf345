import numpy as np
import pytest

from colorizer.errors import UserError
from colorizer.raw import find_chroma_files, open_raw
from tests.conftest import write_raw


@pytest.fixture
def codes():
    return np.random.default_rng(0).integers(0, 256, (10, 6, 8, 3), dtype=np.uint8)


def joined(raw):
    parts = [np.concatenate([lightness[..., None], chroma], axis=-1) for _, _, lightness, chroma in raw.chunks()]
    return np.concatenate(parts)


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


def test_batches_come_in_natural_order(tmp_path):
    codes = np.arange(12, dtype=np.uint8)[:, None, None, None] * np.ones((2, 2, 3), np.uint8)
    write_raw(tmp_path, codes, counts=(1,) * 12)
    assert [path.name for path in find_chroma_files(tmp_path)][:3] == ["ab1.npy", "ab2.npy", "ab3.npy"]
    assert joined(open_raw(tmp_path))[:, 0, 0, 1].tolist() == list(range(12))


def test_chunks_stay_small(tmp_path, monkeypatch, codes):
    write_raw(tmp_path, codes)
    monkeypatch.setattr("colorizer.raw.CHUNK_BYTES", 2 * 6 * 8 * 3)
    raw = open_raw(tmp_path)
    assert max(len(chroma) for _, _, _, chroma in raw.chunks()) == 2
    assert (joined(raw) == codes).all()


def replace(root, name, array):
    np.save(root / name, array)


def cut(root, name):
    content = (root / name).read_bytes()
    (root / name).write_bytes(content[:-1])


L, AB1, AB2 = "l/gray_scale.npy", "ab/ab1.npy", "ab/ab2.npy"
BAD_INPUTS = {
    "no lightness": (lambda root, codes: (root / L).unlink(), "gray_scale.npy is missing"),
    "no chroma": (lambda root, codes: [path.unlink() for path in (root / "ab").iterdir()], "holds no ab1.npy"),
    "no such folder": (lambda root, codes: [path.unlink() for path in (root / "l").iterdir()], "set data.root"),
    "truncated": (lambda root, codes: cut(root, AB2), "ab2.npy is truncated"),
    "empty file": (lambda root, codes: (root / AB1).write_bytes(b""), "ab1.npy is not a .npy file"),
    "another format": (lambda root, codes: (root / L).write_text("PK not an array"), "is not a .npy file"),
    "pickled": (lambda root, codes: replace(root, AB1, np.array([{}, []], dtype=object)), "pickled Python objects"),
    "wrong dtype": (lambda root, codes: replace(root, L, codes[..., 0].astype(np.int64)), "dtype int64"),
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


@pytest.mark.parametrize("value", [np.nan, -1.0, 255.5, np.inf])
def test_floats_that_are_no_codes_name_the_image(tmp_path, codes, value):
    spoiled = codes.astype(np.float64)
    spoiled[7, 3, 2, 1] = value
    write_raw(tmp_path, spoiled)
    with pytest.raises(UserError, match=r"ab2.npy: image 3 has values"):
        joined(open_raw(tmp_path))
