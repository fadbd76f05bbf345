"""References vote on the colours of a picture: each place asks the places of the references that look alike.

In the manner of Welsh et al., "Transferring Color to Greyscale Images" (2002), which compares lightness and texture,
and of He et al., "Deep Exemplar-Based Colorization" (2018), which compares features of a pretrained network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from colorizer.references.descriptors import CELL, Describe, as_seen
from colorizer.references.palette import Palette

SCALES = (1.0, 1.5, 0.7)  # at which the references are described: things may be larger or smaller in them
_NEAREST = 5  # cells of the references that vote on a cell
_PARTS = 4  # of a cell along each side; each part has its own lightness and colour
_SAME_LIGHTNESS = 10.0  # codes of L: parts that differ by more hardly vote on each other
_SAME_COLOR = 10.0  # codes of A, B: votes that differ by more do not agree
_DROPPED, _SURE = 0.45, 0.65  # agreement up to which a vote is dropped, and from which on it counts fully
_UNRELATED, _RELATED = 0.3, 0.8  # share of the picture with votes: below and above it the palette counts not and fully
_AT_ONCE = 128  # cells that are compared with all cells of the references at once, to bound the memory


@dataclass(frozen=True)
class Votes:
    """The colours that references give a picture.

    chroma: codes of A, B, (H, W, 2) float32. confidence: (H, W) float32 in [0, 1]; 0 where nothing is known.
    """

    chroma: NDArray[np.float32]
    confidence: NDArray[np.float32]


@dataclass(frozen=True)
class References:
    """The cells of reference pictures, and their palette.

    describe: of pictures. descriptors: of the cells, (M, D). parts: codes (M, P, 3) of the parts of each cell.
    """

    describe: Describe
    descriptors: NDArray[np.float32]
    parts: NDArray[np.float32]
    palette: Palette

    @classmethod
    def of(cls, pictures: Sequence[Sequence[NDArray[np.uint8]]], describe: Describe) -> "References":
        """Describe pictures, at least one: each as codes (H, W, 3) at all SCALES.

        1 is the size of the pictures that they will vote on, which are then as sharp or as blurred.
        """
        descriptors, parts = [], []
        for sizes in pictures:
            for codes, scale in zip(sizes, SCALES, strict=True):
                seen = as_seen(codes, scale)
                found = describe(seen[..., 0])
                descriptors.append(found.reshape(-1, found.shape[-1]))
                parts.append(_parts(seen))
        pixels = np.concatenate(parts[:: len(SCALES)]).reshape(-1, 3)
        return cls(describe, np.concatenate(descriptors), np.concatenate(parts), Palette.of(pixels))

    def vote(self, lightness: NDArray[np.uint8]) -> Votes:
        """Vote on the colours of a picture, codes of L (H, W).

        The cells of the references whose descriptors are nearest to a cell's vote on the colour of its parts, those
        parts most that are as light. The agreement of a vote is the mean similarity of these cells times the share of
        the votes that is near their mean. If large parts of the picture have votes, the references show the same kind
        of scene. Then the others get the colour that the references have at their lightness, where that is a single
        one.
        """
        seen = as_seen(lightness)
        descriptors, parts = self.describe(seen), _parts(seen[..., None])[..., 0]
        rows, columns = descriptors.shape[:2]
        flat = descriptors.reshape(rows * columns, -1)
        chunks = [slice(start, start + _AT_ONCE) for start in range(0, len(flat), _AT_ONCE)]
        asked = [self._ask(flat[chunk], parts[chunk]) for chunk in chunks]
        chroma, agreement = (np.concatenate(values) for values in zip(*asked, strict=True))
        confidence = _ramp(agreement, _DROPPED, _SURE)
        chroma, confidence = self._with_palette(parts, chroma, confidence)
        return _enlarged(
            _joined(chroma, rows, columns), _joined(confidence[..., None], rows, columns)[..., 0], lightness.shape
        )

    def _ask(self, descriptors: NDArray, lightness: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Cells' descriptors (n, D), their parts' L (n, P) -> the parts' chroma (n, P, 2), agreement (n, P)."""
        similarity = descriptors @ self.descriptors.T  # (n, M)
        count = min(_NEAREST, similarity.shape[1])
        nearest = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
        alike = np.maximum(np.take_along_axis(similarity, nearest, axis=1), 0)
        voters = self.parts[nearest].reshape(len(nearest), -1, 3)  # (n, V, 3)
        difference = lightness[:, :, None] - voters[:, None, :, 0]
        as_light = np.exp(-(difference**2) / (2 * _SAME_LIGHTNESS**2))  # (n, P, V)
        weight = as_light * np.repeat(alike, self.parts.shape[1], axis=1)[:, None] + 1e-9
        weight /= weight.sum(axis=-1, keepdims=True)
        chroma = weight @ voters[..., 1:]
        distance = ((voters[:, None, :, 1:] - chroma[:, :, None]) ** 2).sum(axis=-1)
        near = (weight * np.exp(-distance / (2 * _SAME_COLOR**2))).sum(axis=-1)
        return chroma, alike.mean(axis=1)[:, None] * near * np.sqrt(as_light.max(axis=-1))

    def _with_palette(
        self, lightness: NDArray, chroma: NDArray, confidence: NDArray
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Add to the votes what the palette tells about the rest."""
        general, certainty = self.palette.at(lightness)
        extra = (1 - confidence) * certainty * _ramp(confidence.mean(), _UNRELATED, _RELATED)
        total = confidence + extra
        return (chroma * confidence[..., None] + general * extra[..., None]) / (total[..., None] + 1e-9), total


def _ramp(values: NDArray | np.floating, low: float, high: float) -> NDArray:
    """0 up to `low`, 1 from `high` on, straight between."""
    return np.clip((values - low) / (high - low), 0, 1)


def _parts(seen: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean codes of the parts of every cell: (H, W, C) -> (cells, P, C)."""
    rows, columns = (side // CELL for side in seen.shape[:2])
    side = CELL // _PARTS
    shape = rows, _PARTS, side, columns, _PARTS, side, seen.shape[2]
    means = seen.reshape(shape).mean(axis=(2, 5), dtype=np.float32)  # (rows, P', columns, P', C)
    return means.swapaxes(1, 2).reshape(rows * columns, _PARTS**2, -1)


def _joined(parts: NDArray, rows: int, columns: int) -> NDArray[np.float32]:
    """Invert the order of `_parts`: (cells, P, C) -> a picture of parts (rows x P', columns x P', C)."""
    divided = parts.reshape(rows, columns, _PARTS, _PARTS, -1).swapaxes(1, 2)
    return np.asarray(divided.reshape(rows * _PARTS, columns * _PARTS, -1), np.float32)


def _enlarged(chroma: NDArray[np.float32], confidence: NDArray[np.float32], shape: tuple[int, ...]) -> Votes:
    """Resize votes to (H, W), colours in proportion to their confidence."""
    weight = confidence + np.float32(1e-6)
    planes = np.dstack([chroma * weight[..., None], weight])
    resized = np.asarray(cv2.resize(planes, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    total = np.maximum(resized[..., 2], np.float32(1e-6))
    chroma = (resized[..., :2] / total[..., None]).astype(np.float32)
    return Votes(chroma, np.clip(total - 1e-6, 0, 1).astype(np.float32))
