"""Damaged files of every kind, read and written: one line each, no crash, no hang, no memory without bound."""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from colorizer.data.sample import built_in_photographs
from colorizer.photographs.decoding import MAX_PIXELS, read_photograph
from colorizer.photographs.files import named
from colorizer.photographs.photographs import Photograph, write_photograph
from tests.support.camera_raw import write_dng
from tests.support.imports import ROOT

COPIES = 40
# The largest photograph as Pillow holds it, 4 bytes a pixel, and as an array, 3 or 4 bytes a pixel; and as much for
# turning it upright or adding alpha; 150 MB for Python with its packages.
LARGEST_MEMORY = 4 * 4 * MAX_PIXELS + 150_000_000

READ_ALL = """
import json, resource, sys
from contextlib import suppress
from pathlib import Path
from colorizer.core.errors import UserError
from colorizer.photographs.decoding import read_photograph, read_size
from colorizer.photographs.photographs import write_photograph
told = {"read": 0, "refused": 0}
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        read_size(path)
        photograph = read_photograph(path, deep=True)
        told["read"] += 1
    except UserError as error:
        assert str(path) in str(error) and "\\n" not in str(error), error
        told["refused"] += 1
        continue
    for file_format in ("png", "jpeg", "webp", "tiff"):
        with suppress(UserError):  # transparency in JPEG, too many pixels a side
            write_photograph(Path(sys.argv[2]), photograph, file_format)
told["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps(told))
"""


def write_originals(folder: Path) -> list[Path]:
    """A small photograph in every format, with EXIF, in several modes."""
    folder.mkdir()
    rgb = dict(built_in_photographs())["chelsea.png"][::4, ::4]
    exif = Image.Exif()
    exif[274], exif[270] = 6, "a cat"
    Image.fromarray(rgb).save(folder / "a.tif", exif=exif, compression="tiff_lzw")
    photograph = read_photograph(folder / "a.tif")
    paths = [folder / "a.tif"]
    for file_format in ("png", "jpeg", "webp", "tiff"):
        paths.append(named(folder / file_format, file_format))
        write_photograph(paths[-1], photograph, file_format)
    image = Image.fromarray(rgb)
    for name, other, options in (
        ("palette.png", image.quantize(32), {"transparency": 3}),
        ("wide.png", Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257), {}),
        ("inks.jpg", image.convert("CMYK"), {}),
        ("progressive.jpg", image, {"progressive": True, "exif": exif}),
        ("alpha.webp", image.convert("RGBA"), {"exif": exif}),
        ("inks.tif", image.convert("CMYK"), {"compression": "tiff_deflate"}),
        ("phone.heic", image, {"exif": exif.tobytes()}),
        ("phone.avif", image, {"exif": exif.tobytes()}),
    ):
        paths.append(folder / name)
        other.save(paths[-1], **options)
    wide = Photograph(pixels=rgb.astype(np.uint16) * 257 + 1, exif=photograph.exif)
    for file_format in ("png", "tiff"):
        paths.append(named(folder / "deep", file_format))
        write_photograph(paths[-1], wide, file_format)
    paths.append(folder / "raw.dng")
    write_dng(paths[-1], rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2])
    return paths


def mutated(content: bytes, generator: random.Random) -> bytes:
    """Cut off, bits flipped (in the header more often), bytes replaced, or pieces repeated."""
    changed = bytearray(content)
    kind = generator.choice(["cut", "flip", "header", "replace", "repeat"])
    if kind == "cut":
        return content[: generator.randrange(len(content))]
    if kind == "repeat":
        start = generator.randrange(len(content))
        return bytes(changed[:start] + changed[start : start + 64] * generator.randrange(2, 9) + changed[start:])
    for _ in range(generator.randrange(1, 12)):
        place = generator.randrange(min(len(content), 200) if kind == "header" else len(content))
        changed[place] = generator.randrange(256) if kind == "replace" else changed[place] ^ 1 << generator.randrange(8)
    return bytes(changed)


def test_mutated_files(tmp_path):
    generator = random.Random(0)
    (tmp_path / "mutated").mkdir()
    for path in write_originals(tmp_path / "originals"):
        for copy in range(COPIES):
            target = tmp_path / "mutated" / f"{path.stem}-{copy}{path.suffix}"
            target.write_bytes(mutated(path.read_bytes(), generator))
    result = subprocess.run(
        [sys.executable, "-c", READ_ALL, tmp_path / "mutated", tmp_path / "written"],
        cwd=ROOT,
        capture_output=True,
        timeout=120,
        encoding="utf-8",
    )
    assert result.returncode == 0, result.stderr[-2000:]
    told = json.loads(result.stdout)
    assert told["read"] + told["refused"] == 16 * COPIES
    assert told["read"] > 50
    assert told["refused"] > 100
    assert told["memory"] < LARGEST_MEMORY
