import numpy as np
import pytest
from skimage.color import rgb2lab

from colorizer.core.lab import codes_to_rgb
from colorizer.data.inventory import take_inventory
from colorizer.data.raw import open_raw, write_raw


def test_describes_every_image(tmp_path, photographs):
    write_raw(tmp_path, photographs)
    inventory = take_inventory(open_raw(tmp_path))
    assert inventory["image"].tolist() == list(range(64))
    assert inventory["source"][[0, 25, 63]].tolist() == ["ab1.npy", "ab2.npy", "ab3.npy"]
    assert inventory["row"][[0, 25, 63]].tolist() == [0, 0, 12]
    lab = np.stack([rgb2lab(codes_to_rgb(codes)) for codes in photographs])
    assert inventory["mean_lightness"] == pytest.approx(lab[..., 0].mean(axis=(1, 2)), abs=0.3)
    assert inventory["mean_a"] == pytest.approx(lab[..., 1].mean(axis=(1, 2)), abs=0.5)
    assert inventory["mean_b"] == pytest.approx(lab[..., 2].mean(axis=(1, 2)), abs=0.5)
    chroma = np.hypot(lab[..., 1], lab[..., 2]).mean(axis=(1, 2))
    assert inventory["mean_chroma"] == pytest.approx(chroma, abs=0.5)


def test_finds_duplicates(tmp_path, photographs):
    codes = photographs[[0, 1, 2, 1, 0, 3, 1]].copy()
    codes[5, 0, 0, 2] ^= 1
    write_raw(tmp_path, codes)
    duplicates = take_inventory(open_raw(tmp_path))["duplicate_of"]
    assert duplicates.tolist() == [None, None, None, 1, 0, None, 1]


def test_does_not_depend_on_how_it_is_read(tmp_path, photographs, monkeypatch):
    write_raw(tmp_path, photographs)
    whole = take_inventory(open_raw(tmp_path))
    monkeypatch.setattr("colorizer.data.raw.CHUNK_BYTES", 1)
    by_image = take_inventory(open_raw(tmp_path))
    assert {name: column.tolist() for name, column in by_image.items()} == {
        name: column.tolist() for name, column in whole.items()
    }
