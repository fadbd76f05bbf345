"""One row per image: where it came from and what it is like."""

import hashlib

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from colorizer.lab import LIGHTNESS_SCALE, NEUTRAL
from colorizer.raw import RawArrays

_CHROMA_UNIT = 256  # chroma is summed in 1/256 steps: integer sums are the same on every machine


def take_inventory(raw: RawArrays) -> pd.DataFrame:
    """Read every pixel once and describe every image.

    Returns a frame of N rows: `image` (0 to N - 1), `source` (name of its chroma batch), `row` (its place in that
    batch), `mean_lightness` (L*), `mean_a`, `mean_b` (a*, b*), `mean_chroma` (mean distance from grey in the a*, b*
    plane: a near-grey image has a small one), `content_hash` (of L and AB) and `duplicate_of` (the first image with the
    same content, or empty).
    """
    pixels = raw.image_shape[0] * raw.image_shape[1]
    source = np.empty(raw.num_images, np.int32)
    row = np.empty(raw.num_images, np.int64)
    sums = np.empty((raw.num_images, 4), np.int64)  # of L, A, B codes and of chroma
    content = np.empty(raw.num_images, np.uint64)
    chroma_table = _chroma_table()

    done = 0
    for batch, offset, lightness, chroma in raw.chunks():
        span = slice(done, done + len(chroma))
        source[span] = batch
        row[span] = np.arange(offset, offset + len(chroma))
        for index in range(len(chroma)):
            sums[done + index, 0] = cv2.sumElems(lightness[index])[0]
            sums[done + index, 1:3] = cv2.sumElems(chroma[index])[:2]
            pairs = chroma[index].view("<u2")  # A + 256 B
            sums[done + index, 3] = chroma_table.take(pairs).sum(dtype=np.int64)
            content[done + index] = _content_hash(lightness[index], chroma[index])
        done += len(chroma)
    means = sums / pixels
    _, first, inverse = np.unique(content, return_index=True, return_inverse=True)
    image = np.arange(raw.num_images)
    names = pd.Index([path.name for path in raw.chroma_files])
    frame = pd.DataFrame(
        {
            "image": image,
            "source": pd.Categorical.from_codes(source, names),
            "row": row,
            "mean_lightness": (means[:, 0] / LIGHTNESS_SCALE).round(3),
            "mean_a": (means[:, 1] - NEUTRAL).round(3),
            "mean_b": (means[:, 2] - NEUTRAL).round(3),
            "mean_chroma": (means[:, 3] / _CHROMA_UNIT).round(3),
            "content_hash": [f"{value:016x}" for value in content],
        }
    )
    original = first[inverse]
    frame["duplicate_of"] = pd.Series(original, dtype="Int64").where(original != image)
    return frame


def _chroma_table() -> NDArray[np.int32]:
    """Distance of every code pair from neutral in 1/256 units of a*, b*: int32 (65536,), indexed A + 256 B."""
    code = np.arange(256, dtype=np.float64) - NEUTRAL
    distance = np.sqrt(code[None, :] ** 2 + code[:, None] ** 2)  # [B, A]
    return np.rint(distance * _CHROMA_UNIT).astype(np.int32).ravel()


def _content_hash(lightness: NDArray[np.uint8], chroma: NDArray[np.uint8]) -> int:
    digest = hashlib.sha256(lightness.data)
    digest.update(chroma.data)
    return int.from_bytes(digest.digest()[:8], "big")
