"""Structural similarity (SSIM) of 8-bit images; the sums over an image are computed once for many comparisons.

Source: Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004), with uniform
windows and the sample covariance, as scikit-image has it; the test compares the two.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_WINDOW = 7  # pixels; less in smaller images
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


class Windows:
    """The sums of pixels and of their squares in all windows of images of one size.

    Takes 8-bit images (n, H, W, 3). Everything up to the last division is done in whole numbers: nothing is lost where
    a variance is small beside the square of its mean.
    """

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self.window = min(_WINDOW, *(side - 1 + side % 2 for side in images.shape[1:3]))  # odd
        self.pixels = images.astype(np.uint16)  # holds 255 x 255
        self.sums = _sum_windows(self.pixels, self.window)
        self.sums_of_squares = _sum_windows(self.pixels * self.pixels, self.window)


def ssim(first: Windows, second: Windows) -> NDArray[np.float32]:
    """Compute the SSIM of n pairs of images, (n,) in [-1, 1]: the mean over channels and windows inside."""
    window, num = first.window, first.window**2
    product = 2 * first.sums * second.sums  # below 2^29, as all that follows
    squares = first.sums * first.sums + second.sums * second.sums
    covariance = 2 * num * _sum_windows(first.pixels * second.pixels, window) - product
    variance = num * (first.sums_of_squares + second.sums_of_squares) - squares
    c1, c2 = np.float32(_C1 * num**2), np.float32(_C2 * num * (num - 1))
    similarity = _plus(product, c1) * _plus(covariance, c2)
    similarity /= _plus(squares, c1) * _plus(variance, c2)  # (n, H, W, 3)
    edge = window // 2
    height, width = similarity.shape[1:3]
    inside = similarity[:, edge : height - edge, edge : width - edge]
    return inside.reshape(len(inside), -1).mean(axis=1)


def _sum_windows(values: NDArray[np.uint16], window: int) -> NDArray[np.int32]:
    """Sums over the window around each value (n, H, W, 3); near the edges they take in the next image."""
    n, height, width, channels = values.shape
    tall = values.reshape(n * height, width, channels)
    sums = cv2.boxFilter(tall, cv2.CV_32S, (window, window), normalize=False)
    return np.asarray(sums, np.int32).reshape(values.shape)


def _plus(values: NDArray[np.int32], constant: np.float32) -> NDArray[np.float32]:
    return values.astype(np.float32) + constant
