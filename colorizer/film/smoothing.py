"""Takes the flicker from a film's chroma: averages it along the motion.

A network that colours each frame by itself gives a point a slightly different colour in each. The colours of a point in
the frames before are carried along the optical flow and averaged with its own. Where the flow cannot be relied on,
as where something comes into sight, a frame keeps its own colours. After a cut the average begins anew.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from colorizer.film.cuts import is_cut
from colorizer.film.motion import Motion, MotionEstimator, sampled

_SIDE = 192  # shorter side of the frames at which motion is estimated and colours are carried; at 64 px they would blur
_LONGER_SIDE, _SHORTEST = 4 * _SIDE, 32  # of films that are a strip, or a few pixels
_FRAMES = 4  # the most frames that the average of those before counts for


class ChromaSmoother:
    """Smooths the chroma of a film's frames, which come in order.

    MEMORY: the frames after which what came before no longer matters: a change of the chroma then has 0.5% of its size.
    """

    MEMORY = 24

    def __init__(self) -> None:
        self._motion = MotionEstimator()
        self._frame_before: NDArray[np.uint8] | None = None
        self._average = np.empty((0, 0, 3), np.float32)  # a*, b*, and the number of frames that they are the mean of

    def __call__(self, lightness: NDArray[np.uint8], ab: NDArray[np.float32]) -> NDArray[np.float32]:
        """Smooth the chroma of the next frame.

        lightness: its codes of L (h, w), at any size. ab: its a*, b* (h', w', 2), predicted at the network's size.
        Returns the smoothed ones of the same shape; those of the first frame after a cut are as they were.
        """
        frame = _reduced(lightness)
        own = np.asarray(cv2.resize(ab, frame.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
        motion = self._continued(frame)
        self._frame_before = frame
        if motion is None:
            self._average = np.dstack([own, np.ones(frame.shape, np.float32)])
            return ab
        self._average = _averaged(own, self._average, motion)
        change = cv2.resize(self._average[..., :2] - own, ab.shape[1::-1], interpolation=cv2.INTER_AREA)
        return ab + np.asarray(change, np.float32)

    def _continued(self, frame: NDArray[np.uint8]) -> Motion | None:
        """The motion since the frame before; None where a shot begins."""
        if self._frame_before is None or self._frame_before.shape != frame.shape:
            return None
        motion = self._motion(frame, self._frame_before)
        return None if is_cut(frame, motion.carried, motion.consistent) else motion


def _averaged(own: NDArray[np.float32], average: NDArray[np.float32], motion: Motion) -> NDArray[np.float32]:
    """Join a frame's own a*, b* (h, w, 2) to the average of those before (h, w, 3), carried along the motion."""
    # Cubic: linear interpolation, frame after frame, would blur.
    carried = sampled(average, motion.before, cubic=True)
    count = np.clip(carried[..., 2], 0, _FRAMES) * motion.trust
    share = count / (count + 1)
    joined = own + share[..., None] * (carried[..., :2] - own)
    return np.dstack([joined, count + 1]).astype(np.float32)


def _reduced(lightness: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = min(1.0, _SIDE / min(lightness.shape), _LONGER_SIDE / max(lightness.shape))
    height, width = (max(_SHORTEST, round(side * scale)) for side in lightness.shape)
    return np.asarray(cv2.resize(lightness, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
