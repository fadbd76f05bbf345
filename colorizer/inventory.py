"""One row per image: where it came from and what it is like."""

import hashlib

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
        done = span.stop
        source[span] = batch
        row[span] = np.arange(offset, offset + len(chroma))
        sums[span, 0] = lightness.sum(axis=(1, 2), dtype=np.int64)
        sums[span, 1:3] = chroma.sum(axis=(1, 2), dtype=np.int64)
        pairs = np.ascontiguousarray(chroma).view("<u2")[..., 0]  # A + 256 B
        sums[span, 3] = chroma_table[pairs].sum(axis=(1, 2), dtype=np.int64)
        content[span] = [_content_hash(*image) for image in zip(lightness, chroma, strict=True)]

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
    digest = hashlib.blake2b(np.ascontiguousarray(lightness).data, digest_size=8)
    digest.update(np.ascontiguousarray(chroma).data)
    return int.from_bytes(digest.digest(), "big")
