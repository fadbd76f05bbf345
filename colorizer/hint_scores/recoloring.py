"""Measures whether a model follows a hint of another hue than the truth's, in the hint's object and not far away."""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from colorizer.core.hints import no_hints, random_places
from colorizer.core.lab import NEUTRAL, codes_to_lab
from colorizer.hint_scores.curve import PredictWithHints, hint_side

_SMALLEST_CHROMA = 20  # of a recoloured hint; less hardly has a hue
_LIKE = 10  # largest distance in L*, a*, b* of what counts as one object with the hint
_RADIUS = 1 / 4  # of an object, and from it to what is far away; as shares of the image's shorter side


class RecoloredHint(NamedTuple):
    """A hint (H, W, 3) of another hue than the truth's, its code of A and B (2,), and two parts of the image (H, W).

    They are defined by the true colours, without labels. The region is what is connected to the hint by pixels whose
    L*, a*, b* differ by at most 10 from the mean at the hint. `object` is the hint and the region within a quarter of
    the image's shorter side of it. `far` is what is outside of the region and more than a quarter of the shorter side
    away from the object.
    """

    hints: NDArray[np.uint8]
    color: NDArray[np.uint8]
    object: NDArray[np.bool_]
    far: NDArray[np.bool_]


def recolored_hint(codes: NDArray[np.uint8], image: int) -> RecoloredHint:
    """Place one hint at random in an image, codes (H, W, 3), whose number alone decides the place.

    Its hue is the true one, turned by 90 degrees, at the true chroma and at least 20.
    """
    shape = codes.shape[0], codes.shape[1]
    random = np.random.Generator(np.random.Philox(key=[1, image]))
    [(row, column)] = random_places(shape, 1, random).tolist()
    side = hint_side(shape)
    top, left = max(0, row - side // 2), max(0, column - side // 2)
    square = np.zeros(shape, bool)
    square[top : row - side // 2 + side, left : column - side // 2 + side] = True

    lab = codes_to_lab(codes)
    true = lab[square].mean(axis=0)
    color = _turned(true[1:])
    hints = no_hints(shape)
    hints[square] = [*color, 1]
    region = _connected(np.linalg.norm(lab - true, axis=-1) <= _LIKE, square)
    radius = _RADIUS * min(shape)
    part = square | (region & (_distance(square) <= radius))
    return RecoloredHint(hints, color, part, ~region & (_distance(part) > radius))


def recoloring_scores(
    store: NDArray[np.uint8],
    images: NDArray[np.int64],
    predict: PredictWithHints,
    *,
    batch_size: int,
    on_images: Callable[[int], None],
) -> dict[str, float]:
    """Measure on images of the store (N, H, W, 3) whether one `recolored_hint` in each is followed.

    distance: from the predicted colour to the hint's, in a*, b*, mean over its object. distance_before: the same
    without the hint. far_change: how much the colour far away moves because of the hint, as a share of how much it
    moves in the object. All are means over the images, the last one a ratio of two means, over images that have
    something far away; NaN if none has, or nothing moves. Spreading the hint over the whole image, as Levin et al. do
    with one hint, has distance 0 and far_change 1. `on_images` is told how many more images are done.
    """
    after, before, inside, outside = [], [], [], []
    for start in range(0, len(images), batch_size):
        numbers = images[start : start + batch_size]
        truth = store[numbers]
        hinted = [recolored_hint(codes, int(image)) for codes, image in zip(truth, numbers, strict=True)]
        plain = predict(truth[..., 0], hints=no_hints(truth.shape[:3]))
        moved = predict(truth[..., 0], hints=np.stack([hint.hints for hint in hinted]))
        for hint, old, new in zip(hinted, plain, moved, strict=True):
            after.append(_mean_distance(new, hint.color, hint.object))
            before.append(_mean_distance(old, hint.color, hint.object))
            if hint.far.any():
                inside.append(_mean_distance(new, old, hint.object))
                outside.append(_mean_distance(new, old, hint.far))
        on_images(len(numbers))
    change = float(np.sum(inside))
    return {
        "distance": float(np.mean(after)),
        "distance_before": float(np.mean(before)),
        "far_change": float(np.sum(outside)) / change if change else float("nan"),
    }


def _turned(ab: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Codes (2,) of a*, b* (2,) after a quarter turn of the hue, with the least chroma."""
    hue = np.arctan2(ab[1], ab[0]) + np.pi / 2
    chroma = max(_SMALLEST_CHROMA, float(np.hypot(*ab)))
    turned = np.rint(chroma * np.array([np.cos(hue), np.sin(hue)]) + NEUTRAL)
    return np.clip(turned, 0, 255).astype(np.uint8)


def _connected(like: NDArray[np.bool_], square: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels (H, W) that are alike and connected to the square by their sides, and the square."""
    _, labels = cv2.connectedComponents((like | square).astype(np.uint8), connectivity=4)
    return labels == labels[square][0]


def _distance(part: NDArray[np.bool_]) -> NDArray:
    """The distance of each pixel (H, W) to the nearest one of a part, pixels."""
    return cv2.distanceTransform((~part).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def _mean_distance(chroma: NDArray, to: NDArray, part: NDArray[np.bool_]) -> float:
    """The mean distance of codes of A and B (H, W, 2) to others, or to one (2,), over a part (H, W)."""
    difference = chroma.astype(np.float64) - to
    return float(np.hypot(difference[..., 0], difference[..., 1])[part].mean())
