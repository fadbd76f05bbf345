"""Describes the cells of a picture without PyTorch: the pretrained encoder as ONNX, kept in the user's cache folder."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write

CELL = 16  # pixels of what the encoder sees
SHORTER_SIDE = 256  # of what it sees, pixels
_LONGER_SIDE = 1024  # at most: of a longer and narrower picture the shorter side is smaller
_MULTIPLE = 32  # of both sides
_FILE = "descriptors-1.onnx"  # with the number of the export: another one is made anew
_DIGEST = 32  # bytes, before the ONNX document

# Codes of L (H, W) uint8, H and W multiples of 32 -> descriptors of the cells (H / CELL, W / CELL, D) float32.
Describe = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def load_descriptors() -> Describe:
    """Load what describes pictures, with ONNX Runtime on the CPU.

    It is exported at the first use, which imports PyTorch, and kept; a damaged copy is made anew, and one that cannot
    be kept serves this process alone. Raises UserError when the package with the encoder's weights is missing.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(_content(), options, providers=["CPUExecutionProvider"])

    def describe(lightness: NDArray[np.uint8]) -> NDArray[np.float32]:
        [descriptors] = session.run(None, {"lightness": lightness[None, None].astype(np.float32)})
        return np.moveaxis(descriptors[0], 0, -1)

    return describe


def _content() -> bytes:
    kept = user_cache_path("colorizer", appauthor=False) / _FILE
    with suppress(OSError):  # there is none yet
        digest, content = _divided(kept)
        if hashlib.sha256(content).digest() == digest:
            return content

    from colorizer.references.encoder_export import descriptors_as_onnx  # imports PyTorch, which takes seconds

    content = descriptors_as_onnx()
    # A cache may be closed to writing, or full.
    with suppress(OSError, UserError), atomic_write(kept) as temporary:
        temporary.write_bytes(hashlib.sha256(content).digest() + content)
    return content


def _divided(path: Path) -> tuple[bytes, bytes]:
    whole = path.read_bytes()
    return whole[:_DIGEST], whole[_DIGEST:]


def as_seen(codes: NDArray[np.uint8], scale: float = 1.0) -> NDArray[np.uint8]:
    """Resize codes (H, W) or (H, W, C) to what the encoder sees: the shorter side is about SHORTER_SIDE x scale."""
    height, width = codes.shape[:2]
    factor = scale * min(SHORTER_SIDE / min(height, width), _LONGER_SIDE / max(height, width))
    shape = [max(1, round(side * factor / _MULTIPLE)) * _MULTIPLE for side in (width, height)]
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(codes, shape, interpolation=interpolation), np.uint8)
