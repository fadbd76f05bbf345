"""The inventory of the images: one row each, with source, mean colour and copies."""

import hashlib
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from colorizer.core.lab import LIGHTNESS_SCALE, NEUTRAL
from colorizer.data.parallel import ordered_map
from colorizer.data.raw import RawArrays, Span

_CHROMA_UNIT = 256  # chroma is summed in 1/256 steps: integer sums are the same on every machine


def take_inventory(raw: RawArrays) -> dict[str, NDArray]:
    """Describe every image in one pass over the raw arrays.

    Returns columns (N,): `image` (0 to N - 1), `source` (name of its chroma batch), `row` (its place in that
    batch), `mean_lightness` (L*), `mean_a`, `mean_b` (a*, b*), `mean_chroma` (mean distance from grey in the a*, b*
    plane: a near-grey image has a small one), `content_hash` (of L and AB, 16 digits) and `duplicate_of` (the first
    image with the same content, or masked).
    """
    pixels = raw.image_shape[0] * raw.image_shape[1]
    sums = np.empty((raw.num_images, 4), np.int64)
    content = np.empty(raw.num_images, ">u8")
    done = 0
    for chunk_sums, chunk_content in ordered_map(partial(_sum_and_hash, raw, _chroma_table()), raw.spans()):
        span = slice(done, done + len(chunk_sums))
        sums[span], content[span] = chunk_sums, chunk_content
        done = span.stop
    lengths = [len(array) for array in raw.chroma]
    image = np.arange(raw.num_images)
    return {
        "image": image,
        "source": np.repeat(np.array([path.name for path in raw.chroma_files], object), lengths),
        "row": np.concatenate([np.arange(length) for length in lengths]),
        "mean_lightness": (sums[:, 0] / pixels / LIGHTNESS_SCALE).round(3),
        "mean_a": (sums[:, 1] / pixels - NEUTRAL).round(3),
        "mean_b": (sums[:, 2] / pixels - NEUTRAL).round(3),
        "mean_chroma": (sums[:, 3] / pixels / _CHROMA_UNIT).round(3),
        "content_hash": np.frombuffer(content.tobytes().hex().encode(), "S16"),
        "duplicate_of": np.ma.masked_equal(_first_with(content), image),
    }


def _sum_and_hash(
    raw: RawArrays, chroma_table: NDArray[np.uint16], span: Span
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Of each image the sums of its L, A, B codes and of its chroma (n, 4), and 64 bits of a hash of its codes (n,)."""
    lightness, chroma = raw.read(span)
    pairs = chroma.view("<u2")[..., 0]  # A + 256 B
    distance = cv2.LUT(pairs.reshape(-1, pairs.shape[2]), chroma_table).reshape(pairs.shape)
    sums = np.empty((span.count, 4), np.int64)
    content = bytearray()
    for index in range(span.count):
        sums[index, 0] = cv2.sumElems(lightness[index])[0]
        sums[index, 1:3] = cv2.sumElems(chroma[index])[:2]
        sums[index, 3] = cv2.sumElems(distance[index])[0]
        digest = hashlib.sha256(lightness[index].data)
        digest.update(chroma[index].data)
        content += digest.digest()[:8]
    return sums, np.frombuffer(content, ">u8")


def _chroma_table() -> NDArray[np.uint16]:
    """Distance of every code pair from neutral in 1/256 units of a*, b*: uint16 (65536,), indexed A + 256 B."""
    code = np.arange(256, dtype=np.float64) - NEUTRAL
    distance = np.sqrt(code[None, :] ** 2 + code[:, None] ** 2)  # [B, A]
    return np.rint(distance * _CHROMA_UNIT).astype(np.uint16).ravel()


def _first_with(content: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For every entry, the place of the first one that equals it."""
    _, first, inverse = np.unique(content, return_index=True, return_inverse=True)
    return first[inverse]
