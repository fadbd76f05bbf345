"""Encoded segments of a film, each in a file of its own beside the film that they will become.

A part holds the encoder's packets as they are: a record of `_PACKET` and the bytes, one after another, and `_END` last.
Containers would round time stamps or shift them. Source of the fields: FFmpeg's AVPacket.
"""

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from colorizer.core.digests import fingerprint
from colorizer.core.files import atomic_write
from colorizer.video.codecs import Encoding
from colorizer.video.plan import Plan, Segment, plan_from_text, plan_to_text

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame

_PACKET = struct.Struct("<qqqBI")  # shown at, decoded at, duration, whether it is a key frame, number of bytes
_END = struct.Struct("<qq")  # number of frames, of damaged ones that are left out


class PartEnd(NamedTuple):
    """How many frames a part holds, and how many the film's segment had that could not be decoded."""

    num_frames: int
    num_damaged: int


class Parts:
    """The folder of a film's parts. Parts that other settings or another film led to are in it, too, but not seen."""

    def __init__(self, out: Path, source_fingerprint: str, settings: dict) -> None:
        """Name the folder beside `out`; it is made when something is written."""
        self.folder = folder_of(out)
        self._key = fingerprint({"film": source_fingerprint, **{name: str(value) for name, value in settings.items()}})

    def path(self, segment: Segment) -> Path:
        """Return the file for a segment."""
        return self.folder / f"{segment.number:05}-{self._key}.part"

    def missing(self, plan: Plan, number: int | None = None) -> list[Segment]:
        """List the segments that are not there yet, or that of a number alone; raises UserError if there is none."""
        wanted = plan.segments if number is None else [plan.segment(number)]
        return [segment for segment in wanted if not self.path(segment).exists()]

    def count(self, plan: Plan) -> PartEnd:
        """Add up the frames of all segments, and those that are missing because they are damaged."""
        ends = [read_end(self.path(segment)) for segment in plan.segments]
        return PartEnd(sum(end.num_frames for end in ends), sum(end.num_damaged for end in ends))


def folder_of(out: Path) -> Path:
    """Return the folder for the parts of a film that is to be written."""
    return out.with_name(f"{out.name}.parts")


def kept_plan(out: Path, source_fingerprint: str) -> Plan | None:
    """Return the plan that an earlier run has left in the folder of the parts, if it was of this film."""
    path = _plan_path(out, source_fingerprint)
    return plan_from_text(path.read_text(encoding="utf-8")) if path.exists() else None


def keep_plan(out: Path, plan: Plan) -> None:
    """Leave a plan for later runs: reading through a long film takes a while."""
    path = _plan_path(out, plan.fingerprint)
    with atomic_write(path) as partial:
        partial.write_text(plan_to_text(plan), encoding="utf-8")


def _plan_path(out: Path, source_fingerprint: str) -> Path:
    return folder_of(out) / f"plan-{source_fingerprint}.json"


def encode_part(file: IO[bytes], frames: "Iterable[VideoFrame]", encoding: Encoding) -> int:
    """Encode frames, in order, and write their packets; the number of frames. `end_part` comes after it."""
    import av

    context = cast("VideoCodecContext", av.CodecContext.create(encoding.codec, "w"))
    context.flags |= av.codec.context.Flags.global_header
    encoding.configure(context)
    count = 0
    for frame in frames:
        count += 1
        _write(file, context.encode(frame))
    if count:
        _write(file, context.encode(None))
    return count


def _write(file: IO[bytes], packets: "Iterable[Packet]") -> None:
    for packet in packets:
        file.write(_PACKET.pack(packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe, packet.size))
        file.write(bytes(packet))


def end_part(file: IO[bytes], end: PartEnd) -> None:
    """Write the last record of a part."""
    file.write(_END.pack(*end))


def read_end(path: Path) -> PartEnd:
    """Read the last record of a part."""
    with path.open("rb") as file:
        file.seek(-_END.size, os.SEEK_END)
        return PartEnd(*_END.unpack(file.read()))


def read_packets(path: Path) -> "Iterator[Packet]":
    """Read the packets of a part, in the order of decoding, with stamps in the units of the encoder."""
    import av

    end = path.stat().st_size - _END.size
    with path.open("rb") as file:
        while file.tell() < end:
            shown, decoded, duration, is_key, size = _PACKET.unpack(file.read(_PACKET.size))
            packet = av.Packet(file.read(size))
            packet.pts, packet.dts, packet.duration, packet.is_keyframe = shown, decoded, duration, bool(is_key)
            yield packet
