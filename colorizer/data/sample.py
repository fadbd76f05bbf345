"""The built-in sample: small crops of eight photographs that ship inside scikit-image and scikit-learn."""

import importlib.util
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorizer.core.errors import UserError
from colorizer.core.lab import mean_chroma, rgb_to_codes

# Licences and authors are named in data/README.md.
PHOTOGRAPHS = (
    ("skimage", "data/astronaut.png"),
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/coffee.png"),
    ("skimage", "data/ihc.png"),
    ("skimage", "data/motorcycle_left.png"),
    ("skimage", "data/rocket.jpg"),
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
)
# Each photograph is cut into 4 x 4 blocks; these (row, column) are tested, one in each row and column.
TEST_BLOCKS = ((0, 1), (1, 3), (2, 0), (3, 2))
BLOCKS = 4
GAP = 4  # pixels between a training crop and a test block
SCALES = (96, 64, 48)  # sides of crops in the photograph, resized to one size; drawn in turn


@dataclass(frozen=True)
class Crop:
    """A square of a photograph: top left corner and side, in pixels."""

    top: int
    left: int
    side: int


def crop_positions(height: int, width: int) -> tuple[list[Crop], list[Crop]]:
    """List all training crops and all test crops of a photograph of this size.

    Test crops lie inside a test block; training crops keep GAP pixels away from every test block.
    """
    blocks = [
        (row * height // BLOCKS, column * width // BLOCKS, (row + 1) * height // BLOCKS, (column + 1) * width // BLOCKS)
        for row, column in TEST_BLOCKS
    ]
    train, test = [], []
    for crop in _grid(height, width):
        bottom, right = crop.top + crop.side, crop.left + crop.side
        if any(
            crop.top >= top and crop.left >= left and bottom <= low and right <= far for top, left, low, far in blocks
        ):
            test.append(crop)
        elif not any(
            crop.top < low + GAP and bottom > top - GAP and crop.left < far + GAP and right > left - GAP
            for top, left, low, far in blocks
        ):
            train.append(crop)
    return train, test


def built_in_photographs() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Read the built-in photographs one after another: name and sRGB pixels (H, W, 3) uint8 of each."""
    return ((Path(name).name, _read_photograph(package, name)) for package, name in PHOTOGRAPHS)


def make_sample(
    *, size: int, train: int, test: int, min_chroma: float, seed: int
) -> tuple[NDArray[np.uint8], list[tuple[str, str, Crop]]]:
    """Draw `train` training crops and then `test` test crops, evenly from all photographs, without near-grey ones.

    Returns codes (train + test, size, size, 3) uint8 and for each image (part, photograph, crop). Raises UserError
    when a photograph has too few crops.
    """
    photographs = list(built_in_photographs())
    codes: list[NDArray[np.uint8]] = []
    origins: list[tuple[str, str, Crop]] = []
    for index, (part, count) in enumerate((("train", train), ("test", test))):
        drawn = []
        for number, (name, rgb) in enumerate(photographs):
            share = count // len(photographs) + (number < count % len(photographs))
            positions = _in_turn(crop_positions(*rgb.shape[:2])[index], random.Random(f"{seed} {part} {name}"))
            colorful = (
                (crop, pixels) for crop in positions if mean_chroma(pixels := _cut(rgb, crop, size)) >= min_chroma
            )
            cuts = list(islice(colorful, share))
            if len(cuts) < share:
                raise UserError(
                    f"sample.{part}: {name} gives {len(cuts)} crops but {share} are asked of it: lower sample.{part}"
                )
            drawn += [(name, crop, pixels) for crop, pixels in cuts]
        random.Random(f"{seed} {part}").shuffle(drawn)
        codes += [pixels for _, _, pixels in drawn]
        origins += [(part, name, crop) for name, crop, _ in drawn]
    return np.stack(codes), origins


def _grid(height: int, width: int) -> Iterator[Crop]:
    for side in SCALES:
        step = side // 6
        for top in range(0, height - side + 1, step):
            for left in range(0, width - side + 1, step):
                yield Crop(top, left, side)


def _in_turn(crops: list[Crop], generator: random.Random) -> Iterator[Crop]:
    """Shuffled crops with the scales taking turns for as long as each has any."""
    by_scale = [[crop for crop in crops if crop.side == side] for side in SCALES]
    for scale in by_scale:
        generator.shuffle(scale)
    return (crop for turn in zip_longest(*by_scale) for crop in turn if crop)


def _cut(rgb: NDArray[np.uint8], crop: Crop, size: int) -> NDArray[np.uint8]:
    # Pillow resizes 8-bit images in fixed point and OpenCV converts them in integers: same bytes everywhere.
    # Cropping first keeps the filter from reaching over the crop's edge.
    square = np.ascontiguousarray(rgb[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side])
    return rgb_to_codes(np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.LANCZOS)))


def _read_photograph(package: str, name: str) -> NDArray[np.uint8]:
    # The file is found without importing the package: scikit-image and scikit-learn take seconds to import.
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(f"{package} is not installed: run `make setup`")
    return np.asarray(Image.open(Path(spec.origin).parent / name).convert("RGB"))
