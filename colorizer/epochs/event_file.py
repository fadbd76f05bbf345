"""Writes the curves and sample sheets of a training for TensorBoard, as an event file.

By TensorBoard's own record writer, whose checksum takes a quarter of a second for a megabyte: sheets are shown as JPEG.
"""

import io
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

_JPEG_QUALITY = 85
_MARK = "tfevents"  # TensorBoard reads every file with this in its name


def write_event_file(folder: Path, params: Mapping[str, object], epochs: Iterable[tuple[dict, Path]]) -> Path:
    """Write a new event file in the place of those in `folder`; returns its path.

    `params` are what TensorBoard lists as hyperparameters. An epoch is its row of the history and its sample sheet.
    """
    from tensorboard.summary.writer.record_writer import RecordWriter

    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "unfinished"
    try:
        with partial.open("wb") as file:
            records = RecordWriter(file)
            for event in _first_events(params):
                records.write(event.SerializeToString())
            for row, sheet in epochs:
                records.write(_epoch_event(row, sheet).SerializeToString())
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
    from tensorboard.summary.writer.record_writer import RecordWriter

    with path.open("ab") as file:
        RecordWriter(file).write(_epoch_event(row, sheet).SerializeToString())


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

    with Image.open(sheet) as image, io.BytesIO() as jpeg:
        image.save(jpeg, "JPEG", quality=_JPEG_QUALITY)
        width, height = image.size
        picture = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=jpeg.getvalue())  # RGB
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
