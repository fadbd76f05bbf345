"""Finds where each point of a frame was in the frame before, and how far that can be relied on.

Sources: Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (2016), as OpenCV has it; for the check there
and back Sundaram et al., "Dense Point Trajectories by GPU-accelerated Large Displacement Optical Flow" (2010).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_LEAST_NOISE = 6.0  # codes of L by which a point may differ without doubt
_LIGHT = 40.0  # codes of L by which the light may change
_LIGHT_WINDOW = 31  # pixels over which a change of the light is even
_FAR = 1e6  # a flow that no other agrees with: of what lies outside the frame


@dataclass(frozen=True, kw_only=True)
class Motion:
    """The motion between two frames.

    before: for each pixel of the frame its point's x, y in the frame before (h, w, 2) float32. carried: codes of L of
    the frame before, along the motion (h, w) uint8. consistent: where the motion there and back agree (h, w). trust:
    how sure it is that both frames show the same point, (h, w) float32 in [0, 1]; 0 where the motion is not consistent.
    """

    before: NDArray[np.float32]
    carried: NDArray[np.uint8]
    consistent: NDArray[np.bool_]
    trust: NDArray[np.float32]


class MotionEstimator:
    """Estimates the motion between two frames with DIS optical flow, in both directions."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def __call__(self, frame: NDArray[np.uint8], frame_before: NDArray[np.uint8]) -> Motion:
        """Compare two frames, codes of L (h, w). Both sides have 32 pixels or more, one at most 24 times the other."""
        back, forth = self._flow_to(frame, frame_before), self._flow_to(frame_before, frame)
        before = _positions(frame.shape[0], frame.shape[1]) + back
        returning = sampled(forth, before, outside=_FAR)
        carried = sampled(frame_before, before)
        gap = _squared_length(returning + back)
        allowed = 0.01 * (_squared_length(returning) + _squared_length(back)) + 0.5
        consistent = gap <= allowed
        trust = np.exp(-gap / allowed - _change(frame, carried))
        trust[~consistent] = 0
        return Motion(before=before, carried=carried, consistent=consistent, trust=trust)

    def _flow_to(self, frame: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
        """How far each pixel's point moves from a frame to the other, x and y (h, w, 2)."""
        return np.asarray(self._flow.calc(frame, other, np.empty(0, np.float32)), np.float32)


def sampled(
    image: NDArray[Any], positions: NDArray[np.float32], *, cubic: bool = False, outside: float | None = None
) -> NDArray[Any]:
    """Interpolate an image (h, w) or (h, w, C) at positions x, y (n, m, 2): (n, m) or (n, m, C), of the image's dtype.

    outside: what there is beyond the image; by default its edge goes on.
    """
    interpolation = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    value = (outside or 0.0,) * 4
    # OpenCV 5.0 takes an empty second map, which its types ask for, for a map when it interpolates linearly.
    sample = cv2.remap(image, positions, None, interpolation, borderMode=border, borderValue=value)  # type: ignore[call-overload]
    return np.asarray(sample)


def _change(frame: NDArray[np.uint8], carried: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How far the lightness of a point changed, relative to noise and to changes of the light; squared, halved."""
    difference = np.asarray(cv2.subtract(frame, carried, dtype=cv2.CV_32F), np.float32)
    light = cv2.blur(difference, (_LIGHT_WINDOW, _LIGHT_WINDOW))
    difference -= light
    noise = max(_LEAST_NOISE, 3 * float(np.median(np.abs(difference[::4, ::4]))))
    return np.asarray((difference / noise) ** 2 / 2 + (light / _LIGHT) ** 2 / 2, np.float32)


def _positions(height: int, width: int) -> NDArray[np.float32]:
    """x, y of each pixel, (h, w, 2)."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([x, y], axis=-1)


def _squared_length(flow: NDArray) -> NDArray[np.float32]:
    x, y = flow[..., 0], flow[..., 1]
    return np.asarray(x * x + y * y, np.float32)
