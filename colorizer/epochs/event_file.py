"""Writes the curves and sample sheets of a training for TensorBoard, as an event file.

TensorBoard's protocol buffers are used, but not its writer, nor PyTorch's around it: their checksum runs in Python, a
byte at a time, which took 2% of an epoch of the built-in sample for its sheet. Importing them takes three times as long
as well.
"""

import io
import os
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

_CASTAGNOLI = 0x82F63B78  # the polynomial of CRC-32C, its bits reversed
_ALL_ONES = 0xFFFFFFFF
_MARK = "tfevents"  # TensorBoard reads every file with this in its name


def write_event_file(folder: Path, params: Mapping[str, object], epochs: Iterable[tuple[dict, Path]]) -> Path:
    """Write a new event file in the place of those in `folder`; returns its path.

    `params` are what TensorBoard lists as hyperparameters. An epoch is its row of the history and its sample sheet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "unfinished"
    try:
        with partial.open("wb") as file:
            for event in _first_events(params):
                file.write(_record(event))
            for row, sheet in epochs:
                file.write(_record(_epoch_event(row, sheet)))
        for old in folder.glob(f"*{_MARK}*"):  # first: with both, every point would be there twice
            if old.stat().st_size:
                os.truncate(old, 0)  # a TensorBoard that follows it without its data server fails if it is gone
            else:
                old.unlink()
        return partial.rename(folder / f"events.out.{_MARK}.{time.time_ns() // 1000}.{os.getpid()}")
    finally:
        partial.unlink(missing_ok=True)


def append_epoch(path: Path, row: dict, sheet: Path) -> None:
    """Add an epoch to the event file: all of it, or what TensorBoard leaves out as cut off."""
    with path.open("ab") as file:
        file.write(_record(_epoch_event(row, sheet)))


def _first_events(params: Mapping[str, object]) -> Iterator["Event"]:
    """What precedes the epochs: the format, a new beginning, the hyperparameters."""
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_FLOAT
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo

    now = time.time()
    yield Event(wall_time=now, file_version="brain.Event:2")
    # A TensorBoard that has read an earlier file of the folder drops the points it has.
    yield Event(wall_time=now, session_log=SessionLog(status=SessionLog.START))
    session = SessionStartInfo(start_time_secs=now)
    for name, value in params.items():
        if isinstance(value, bool):
            session.hparams[name].bool_value = value
        elif isinstance(value, int | float):
            session.hparams[name].number_value = value
        else:
            session.hparams[name].string_value = str(value)
    content = HParamsPluginData(version=0, session_start_info=session).SerializeToString()
    listed = Summary.Value(
        tag="_hparams_/session_start_info",
        metadata=SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="hparams", content=content)),
        tensor=TensorProto(dtype=DT_FLOAT, float_val=[0.0], tensor_shape=TensorShapeProto()),  # only for the format
    )
    yield Event(wall_time=now, summary=Summary(value=[listed]))


def _epoch_event(row: dict[str, Any], sheet: Path) -> "Event":
    """Everything about an epoch, which ended when its sheet was written."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    png = sheet.read_bytes()
    width, height = Image.open(io.BytesIO(png)).size
    picture = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=png)  # 3: RGB
    values = [Summary.Value(tag="sample sheet", image=picture)]
    for name, value in row.items():
        if name not in ("epoch", "warnings"):
            values.append(Summary.Value(tag=_tag(name), simple_value=value))
    return Event(wall_time=sheet.stat().st_mtime, step=row["epoch"], summary=Summary(value=values))


def _tag(column: str) -> str:
    """The name of a curve: TensorBoard groups them by what stands before the slash."""
    if column.endswith("_loss"):
        return f"losses/{column}"
    if column.startswith("validation_"):
        return f"validation/{column.removeprefix('validation_')}"
    return column


def _record(event: "Event") -> bytes:
    data = event.SerializeToString()
    length = struct.pack("<Q", len(data))
    return b"".join((length, struct.pack("<I", masked_crc32c(length)), data, struct.pack("<I", masked_crc32c(data))))


def masked_crc32c(data: bytes) -> int:
    """The checksum of event files: the CRC-32C of at least four bytes, rotated and shifted.

    The data are cut into pieces of equal length, whose CRCs NumPy computes side by side, from 0. CRCs are linear: one
    byte of the CRC of what precedes a piece, and the piece itself, add up by XOR. What each byte becomes is computed
    along with the pieces, as it comes to the same as a piece of zeros that begins with it.
    """
    count = 4 * isqrt(len(data))  # the fastest, for a sheet of half a megabyte
    length = -(-len(data) // count)
    padded = np.zeros(count * length, np.uint8)  # zeros in front change nothing
    content = padded[len(padded) - len(data) :]
    content[:] = np.frombuffer(data, np.uint8)
    content[:4] ^= 0xFF  # a CRC-32C starts from ones
    bytes_of_crc = np.arange(256, dtype=np.uint32) << np.array([[0], [8], [16], [24]], np.uint32)
    states = np.concatenate([np.zeros(count, np.uint32), bytes_of_crc.reshape(-1)])
    table = _crc_table()
    for column in padded.reshape(count, length).T:
        lowest = states & 0xFF
        lowest[:count] ^= column
        states = table[lowest] ^ (states >> 8)
    first, second, third, fourth = states[count:].reshape(4, 256).tolist()
    crc = 0
    for piece in states[:count].tolist():
        crc = first[crc & 0xFF] ^ second[crc >> 8 & 0xFF] ^ third[crc >> 16 & 0xFF] ^ fourth[crc >> 24] ^ piece
    crc ^= _ALL_ONES
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & _ALL_ONES


@cache
def _crc_table() -> NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ _CASTAGNOLI, table >> 1).astype(np.uint32)
    return table
