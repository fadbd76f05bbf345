"""HEIC, AVIF and camera RAW are coloured and imported like other photographs."""

import csv
import os
import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from colorizer.core.errors import UserError
from colorizer.core.lab import rgb_to_lightness
from colorizer.data.sample import built_in_photographs
from colorizer.photographs.decoding import read_photograph, read_size
from colorizer.photographs.files import find_photographs
from tests.support.camera_raw import write_dng
from tests.support.colorizer_command import run_colorizer

RGB = dict(built_in_photographs())["china.jpg"][100:314, 60:380]
DESCRIPTION, MODEL, ORIENTATION = 270, 272, 274
ADVICE = "cannot be read: camera RAW needs rawpy: pip install -r requirements-raw.txt -c constraints.txt"


@pytest.fixture
def colorize(miniature, monkeypatch, capfd):
    """Run the command in the miniature; gives exit code and lines on standard error, those of libraries too."""
    monkeypatch.chdir(miniature.path)

    def run(*arguments: object) -> tuple[int, list[str]]:
        code = run_colorizer("colorize", *arguments)
        return code, [line for line in capfd.readouterr().err.splitlines() if "/s, " not in line]

    return run


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("suffix", [".heic", ".HIF", ".avif", ".dng"])
def test_a_photograph_is_coloured_and_imported(colorize, tmp_path, suffix):
    path = tmp_path / "in" / f"a{suffix}"
    path.parent.mkdir()
    if suffix == ".dng":
        write_dng(path, RGB)
    else:
        Image.fromarray(RGB).save(path, format="AVIF" if suffix == ".avif" else "HEIF", quality=90)
    out = tmp_path / "out"
    assert colorize(path.parent, "--out", out) == (0, [f"colorizer: 1 coloured in {out}"])
    before, after = read_photograph(path), pixels(out / "a.png")
    assert after.shape == RGB.shape
    assert np.abs(rgb_to_lightness(before.rgb) - rgb_to_lightness(after)).max() < 1.6
    assert np.corrcoef(rgb_to_lightness(RGB).ravel(), rgb_to_lightness(after).ravel())[0, 1] > 0.98
    assert run_colorizer("import", path.parent, "--out", tmp_path / "data", "--size", "64") == 0
    assert np.load(tmp_path / "data/l/gray_scale.npy").shape == (1, 64, 64)


@pytest.mark.parametrize("suffix", [".heic", ".avif"])
def test_what_phones_store_beside_the_pixels(tmp_path, suffix):
    alpha = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None], 48, axis=0)
    exif = Image.Exif()
    exif[DESCRIPTION] = "a house"
    image = Image.fromarray(np.dstack([RGB[:48, :64], alpha]))
    image.save(tmp_path / f"a{suffix}", exif=exif.tobytes(), icc_profile=bytes(16) + b"RGB " + bytes(200), quality=95)
    photograph = read_photograph(tmp_path / f"a{suffix}")
    assert np.abs(photograph.alpha.astype(int) - alpha).max() < 8
    assert photograph.icc_profile[16:20] == b"RGB "
    kept = Image.Exif()
    kept.load(photograph.exif)
    assert kept[DESCRIPTION] == "a house"
    Image.fromarray(RGB[..., 0]).save(tmp_path / f"grey{suffix}")
    assert read_photograph(tmp_path / f"grey{suffix}").pixels.shape == RGB.shape[:2]


def test_ten_bits_of_a_phone_become_eight(tmp_path):
    wide = RGB.astype(np.uint16) * 257
    pillow_heif.from_bytes("RGB;16", RGB.shape[1::-1], wide.tobytes()).save(tmp_path / "a.heic", quality=95)
    photograph = read_photograph(tmp_path / "a.heic", deep=True)
    assert photograph.pixels.dtype == np.uint8
    assert np.abs(photograph.pixels.astype(int) - RGB).mean() < 4


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_raw_is_developed_upright_once(tmp_path, orientation):
    write_dng(tmp_path / "a.dng", RGB, orientation)
    turned = np.rot90(RGB, {1: 0, 3: 2, 6: -1, 8: 1}[orientation])
    assert read_size(tmp_path / "a.dng") == turned.shape[:2]
    photograph = read_photograph(tmp_path / "a.dng", deep=True)
    assert (photograph.pixels.dtype, photograph.pixels.shape) == (np.uint16, turned.shape)
    assert np.corrcoef(photograph.pixels.ravel(), turned.ravel())[0, 1] > 0.95
    kept = Image.Exif()
    kept.load(photograph.exif)
    assert kept == {271: "Maker", MODEL: "A camera"}  # and nothing on its sensor
    assert read_photograph(tmp_path / "a.dng", at_least=100).size == (turned.shape[0] // 2, turned.shape[1] // 2)


def test_damaged_files_are_one_line_each(colorize, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    Image.fromarray(RGB).save(tmp_path / "whole.heic")
    Image.fromarray(RGB).save(tmp_path / "whole.avif")
    write_dng(tmp_path / "whole.dng", RGB)
    for suffix in (".heic", ".avif", ".dng"):
        whole = (tmp_path / f"whole{suffix}").read_bytes()
        (folder / f"cut{suffix}").write_bytes(whole[: len(whole) // 2])
        (folder / f"empty{suffix}").write_bytes(b"")
        (folder / f"text{suffix}").write_text("not a photograph", encoding="utf-8")
    (folder / "header.dng").write_bytes(whole[:8] + bytes(300) + whole[308:])
    with open(os.fsencode(folder) + b"/\xff.nef", "wb") as file:  # noqa: PTH123 - no Path for such a name
        file.write(whole)
    code, lines = colorize(folder, "--out", out)
    assert code == 1
    assert lines[-1] == f"colorizer: 1 coloured in {out}; 10 failed"
    assert len(lines) == 11, lines
    for line in lines[:-1]:
        assert " is damaged: " in line or " is not a " in line or "of a known kind" in line
    os.mkfifo(folder / "pipe.dng")
    with pytest.raises(UserError, match="is a pipe"):
        read_size(folder / "pipe.dng")


def test_without_rawpy_it_says_how_to_get_it(colorize, tmp_path, monkeypatch):
    folder = tmp_path / "in"
    folder.mkdir()
    write_dng(folder / "a.CR2", RGB)
    Image.fromarray(RGB).save(folder / "b.png")
    monkeypatch.setitem(sys.modules, "rawpy", None)  # as if it were not installed
    assert [path.name for path, _ in find_photographs(folder)] == ["a.CR2", "b.png"]
    out = tmp_path / "out"
    told = [f"colorizer: {folder / 'a.CR2'} {ADVICE}", f"colorizer: 1 coloured in {out}; 1 failed"]
    assert colorize(folder, "--out", out) == (1, told)
    assert run_colorizer("import", folder, "--out", tmp_path / "data", "--size", "64") == 0
    with (tmp_path / "data" / "photographs.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["skipped"] == f"unreadable: {ADVICE}"
