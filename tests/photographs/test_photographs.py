"""Photographs of every kind come in the right way up and go out with all that came along."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from colorizer.core.errors import UserError
from colorizer.photographs.decoding import MAX_PIXELS, read_photograph, read_size
from colorizer.photographs.files import find_photographs, named
from colorizer.photographs.photographs import Photograph, write_photograph

RGB = np.random.default_rng(0).integers(0, 256, (24, 36, 3), dtype=np.uint8)
GREY = RGB[..., 0]
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ORIENTATION, DESCRIPTION, EXPOSURE, PLACE = 274, 270, 34665, 34853


def save(path: Path, image: Image.Image, **options) -> Photograph:
    image.save(path, **options)
    return read_photograph(path)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_pixels_and_alpha_are_read_as_they_are(tmp_path, suffix):
    photograph = save(tmp_path / f"a{suffix}", Image.fromarray(np.dstack([RGB, GREY])), lossless=True, exact=True)
    np.testing.assert_array_equal(photograph.pixels, RGB)
    np.testing.assert_array_equal(photograph.alpha, GREY)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_modes(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    assert np.array_equal(save(path, Image.fromarray(GREY)).pixels, GREY)
    assert np.array_equal(save(path, Image.fromarray(GREY > 127)).pixels, (GREY > 127) * np.uint8(255))
    wide = np.arange(GREY.size, dtype=np.uint16).reshape(GREY.shape) * 75
    assert np.array_equal(save(path, Image.fromarray(wide)).pixels, np.rint(wide / 257))
    palette = Image.fromarray(RGB).quantize(16)
    assert np.array_equal(save(path, palette).pixels, np.asarray(palette.convert("RGB")))
    with_alpha = save(path, Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(GREY[::-1].copy())]))
    assert np.array_equal(with_alpha.pixels, GREY)
    assert np.array_equal(with_alpha.alpha, GREY[::-1])


def test_a_transparent_colour_of_a_palette(tmp_path):
    palette = Image.fromarray(RGB).quantize(16)
    photograph = save(tmp_path / "a.png", palette, transparency=3)
    assert np.array_equal(photograph.alpha == 0, np.asarray(palette) == 3)
    assert photograph.pixels.shape == RGB.shape


def test_inks_become_srgb(tmp_path):
    inks = Image.fromarray(np.full((8, 8, 3), (200, 30, 30), np.uint8)).convert("CMYK")
    for suffix in (".jpg", ".tif"):
        pixel = save(tmp_path / f"a{suffix}", inks).pixels[4, 4].astype(int)
        assert np.abs(pixel - (200, 30, 30)).max() < 12


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".heic", ".avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path, suffix, orientation):
    """A photograph whose upper left quarter is white, stored in each of the eight ways."""
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :16] = 255
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright.T[::-1, ::-1],
        8: upright.T[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[ORIENTATION], exif[DESCRIPTION] = orientation, "a house"
    image = Image.fromarray(np.repeat(stored[..., None], 3, axis=-1))
    photograph = save(tmp_path / f"a{suffix}", image, exif=exif.tobytes())
    assert photograph.size == (16, 32)
    assert read_size(tmp_path / f"a{suffix}") == ((16, 32) if suffix != ".png" else stored.shape)
    assert np.abs(photograph.pixels[..., 0].astype(int) - upright).mean() < 8
    kept = Image.Exif()
    kept.load(photograph.exif)
    assert (kept[DESCRIPTION], kept.get(ORIENTATION, 1)) == ("a house", 1)


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp", "tiff"])
def test_what_came_along_goes_out(tmp_path, file_format):
    exif = Image.Exif()
    exif[DESCRIPTION] = "a house"
    image = Image.fromarray(RGB)
    original = save(tmp_path / "a.tif", image, exif=exif, icc_profile=SRGB_PROFILE, dpi=(300, 300))
    path = named(tmp_path / "out" / "a.tif", file_format)
    write_photograph(path, original, file_format)
    written = read_photograph(path)
    kept = Image.Exif()
    kept.load(written.exif)
    assert kept[DESCRIPTION] == "a house"
    assert written.icc_profile == SRGB_PROFILE
    if file_format != "jpeg":
        assert np.array_equal(written.pixels, RGB)
    if file_format != "webp":
        assert np.allclose(written.dpi, 300, atol=0.01)


def test_a_profile_of_greys_is_applied_since_colours_cannot_keep_it(tmp_path):
    gamma_1 = grey_profile()
    photograph = save(tmp_path / "a.png", Image.fromarray(np.full((4, 4), 128, np.uint8)), icc_profile=gamma_1)
    assert photograph.icc_profile is None
    assert abs(int(photograph.pixels[0, 0]) - 188) <= 2  # half of the light
    dark = save(tmp_path / "c.png", Image.fromarray(np.arange(16, dtype=np.uint8)[None]), icc_profile=gamma_1)
    light = np.arange(16) / 255
    encoded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    assert np.abs(dark.pixels[0] - encoded).max() < 1
    broken = save(tmp_path / "b.png", Image.fromarray(GREY), icc_profile=gamma_1[:200])
    assert np.array_equal(broken.pixels, GREY)


def grey_profile() -> bytes:
    """A minimal ICC profile of linear greys."""
    curve = b"curv" + bytes(4) + struct.pack(">I", 0) + bytes(4)
    white = b"XYZ " + bytes(4) + struct.pack(">iii", 63190, 65536, 54061)
    text = b"text" + bytes(4) + b"grey" + bytes(4)
    tags, content = [(b"desc", text), (b"cprt", text), (b"wtpt", white), (b"kTRC", curve)], b""
    table = struct.pack(">I", len(tags))
    for name, data in tags:
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(content), len(data))
        content += data
    header = struct.pack(">I4sI4s4s4s", 128 + len(table) + len(content), b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + content


def test_what_a_format_cannot_hold(tmp_path):
    photograph = save(tmp_path / "a.png", Image.fromarray(np.dstack([RGB, GREY])))
    with pytest.raises(UserError, match="transparency: use png"):
        write_photograph(tmp_path / "a.jpg", photograph, "jpeg")
    wide = Photograph(pixels=np.zeros((1, 16_384), np.uint8))
    with pytest.raises(UserError, match="at most 16383 px a side: use png"):
        write_photograph(tmp_path / "a.webp", wide, "webp")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_unreadable_files_are_told_in_one_line(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "whole.jpg", quality=95)
    whole = (tmp_path / "whole.jpg").read_bytes()
    contents = {
        "text.jpg": (b"Dear diary", "is not a JPEG, PNG, WebP, TIFF, HEIC or AVIF photograph"),
        "empty.png": (b"", "is not a JPEG"),
        "cut.jpg": (whole[: len(whole) // 2], "is damaged: .*truncated"),
        "bomb.png": (png_of(60_000, 60_000), f"claims 60000 x 60000 pixels: at most {MAX_PIXELS // 10**6} megapixels"),
        "gif.png": (b"GIF89a\1\0\1\0\0\0\0;", "is not a JPEG"),
    }
    for name, (content, reason) in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"^{path} {reason}") as caught:
            read_photograph(path)
        assert "\n" not in str(caught.value)
    Image.fromarray(RGB[..., 0].astype(np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(UserError, match=r"float.tif has pixels of 32 bits"):
        read_photograph(tmp_path / "float.tif")
    with pytest.raises(UserError, match="cannot be read: is a directory"):
        read_photograph(tmp_path)


def test_damaged_exif_costs_nothing_but_itself(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[:33] + chunk(b"eXIf", b"MM\0*\0\0\0\x08\xff\xff garbage") + content[33:])
    assert np.array_equal(read_photograph(tmp_path / "a.png").pixels, RGB)


def test_a_smaller_reading_is_large_enough(tmp_path):
    Image.fromarray(np.repeat(np.repeat(RGB, 20, 0), 20, 1)).save(tmp_path / "a.jpg")
    height, width = read_photograph(tmp_path / "a.jpg", at_least=100).size
    assert 100 <= min(height, width) < 480


def test_finding(tmp_path):
    for name in ("b/2.JPG", "b/.hidden/3.png", "a.png", "note.txt", "b/.4.png", "c.jpeg/5.webp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [relative.as_posix() for _, relative in find_photographs(tmp_path)]
    assert found == ["a.png", "b/2.JPG", "c.jpeg/5.webp"]
    assert find_photographs(tmp_path / "note.txt") == [(tmp_path / "note.txt", Path("note.txt"))]
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        UserError, match=r"empty holds no photographs: expected files named \*\.avif, \*\.heic, .*, \*\.webp, or camera"
    ):
        find_photographs(tmp_path / "empty")
    with pytest.raises(UserError, match="nowhere does not exist"):
        find_photographs(tmp_path / "nowhere")


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp", "tiff"])
def test_exif_of_a_camera_goes_out(tmp_path, file_format):
    """With a part of its own for the exposure, and one for the place."""
    exif = Image.Exif()
    exif[DESCRIPTION] = "a house"
    exif.get_ifd(EXPOSURE)[33434] = 0.008  # seconds
    exif.get_ifd(PLACE)[1] = "N"
    original = save(tmp_path / "a.jpg", Image.fromarray(RGB), exif=exif)
    write_photograph(tmp_path / "out", original, file_format)
    kept = Image.Exif()
    kept.load(read_photograph(tmp_path / "out").exif)
    assert kept[DESCRIPTION] == "a house"
    assert float(kept.get_ifd(EXPOSURE)[33434]) == pytest.approx(0.008)
    assert kept.get_ifd(PLACE)[1] == "N"


def test_what_is_too_much_or_nonsense_is_left_out(tmp_path):
    exif = Image.Exif()
    exif[DESCRIPTION] = "x" * 70_000
    large = save(tmp_path / "a.png", Image.fromarray(RGB), exif=exif)
    write_photograph(tmp_path / "a.jpg", large, "jpeg")
    assert read_photograph(tmp_path / "a.jpg").exif is None
    write_photograph(tmp_path / "b.png", large, "png")
    assert len(read_photograph(tmp_path / "b.png").exif) > 70_000
    for dpi in ((2.0**32 - 1, 72.0), (0.0, 0.0)):
        assert save(tmp_path / "a.tif", Image.fromarray(RGB), dpi=dpi).dpi is None


def test_pixels_that_pillow_gets_wrong(tmp_path):
    def tiff(pixels: np.ndarray, **tags: object) -> Path:
        path = tmp_path / "a.tif"
        Image.fromarray(pixels).save(path, tiffinfo={int(tag.removeprefix("t")): value for tag, value in tags.items()})
        return path

    wide = np.full((4, 4), 65535, np.uint16)
    content = tiff(wide).read_bytes()
    bits = content.index(struct.pack("<HHIHH", 258, 3, 1, 16, 0)) + 8
    tiff(wide).write_bytes(content[:bits] + struct.pack("<H", 12) + content[bits + 2 :])
    with pytest.raises(UserError, match="has channels of 12 bits: save it with 8 or 16"):
        read_photograph(tmp_path / "a.tif")
    kind = content.index(struct.pack("<HHIHH", 262, 3, 1, 1, 0)) + 8
    (tmp_path / "a.tif").write_bytes(content[:kind] + struct.pack("<H", 0) + content[kind + 2 :])
    assert (read_photograph(tmp_path / "a.tif").pixels == 0).all()  # white is 0
    transparent = save(tmp_path / "a.png", Image.fromarray(wide), transparency=65535)
    assert (transparent.alpha == 0).all()
