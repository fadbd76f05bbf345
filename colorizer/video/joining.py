"""Joins the parts of a film and copies everything else from the original: audio, subtitles, chapters, titles."""

import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write
from colorizer.video.codecs import Encoding
from colorizer.video.containers import demuxed, opened_film
from colorizer.video.parts import read_packets

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
_BITEXACT = 0x400  # AVFMT_FLAG_BITEXACT of FFmpeg: nothing random, no clock times
_OF_THE_FILE = {"encoder", "major_brand", "minor_version", "compatible_brands"}  # which the new file says itself


def check_container(out: Path, encoding: Encoding, film: Path | None) -> list[str]:
    """Write the head of the film to come into memory, to know before hours of work whether it can be written.

    The first packets of what is copied are written, too: some containers look at them.

    Returns what will be left out, in words. Raises UserError when the container of `out`, known by its suffix, cannot
    hold the codec or the audio.
    """
    with ExitStack() as stack:
        original = stack.enter_context(opened_film(film)) if film else None
        stack.enter_context(_no_refusal(out, encoding, original))
        output = stack.enter_context(_opened(BytesIO(), out))
        _, copied = _add_streams(output, out, encoding, original)
        output.start_encoding()
        waiting = set(copied)
        for packet in _copied_packets(original, copied) if original and copied else ():
            if _muxed(output, packet, is_copied=True):
                waiting.discard(packet.stream_index)
            if not waiting:
                break
        if not original:
            return []
        subtitles = [stream for stream in original.streams.subtitles if stream.index not in copied]
        return [f"subtitles ({_codec_of(stream)}), which {out.suffix} cannot hold" for stream in subtitles]


def join(out: Path, parts: Sequence[Path], encoding: Encoding, film: Path | None) -> int:
    """Write the film: the packets of its parts, in order, and what is copied from `film`. `out` appears when whole.

    Returns how many packets of audio and subtitles are damaged and were left out. Raises UserError when there is no
    room for the film.
    """
    num_damaged = 0
    with ExitStack() as stack:
        partial = stack.enter_context(atomic_write(out))
        file = stack.enter_context(partial.open("w+b"))
        original = stack.enter_context(opened_film(film)) if film else None
        stack.enter_context(_no_refusal(out, encoding, original))
        output = stack.enter_context(_opened(file, out, original))
        video, copied = _add_streams(output, out, encoding, original)
        packets = [_video_packets(parts, video, encoding)]
        if original and copied:
            packets.append(_copied_packets(original, copied))
        output.start_encoding()
        for packet in heapq.merge(*packets, key=_seconds):
            num_damaged += not _muxed(output, packet, is_copied=packet.stream is not video)
    return num_damaged


def _opened(file: IO[bytes], out: Path, original: "InputContainer | None" = None) -> "OutputContainer":
    import av

    options = {}
    if not original or (original.start_time or 0) >= 0:
        options["avoid_negative_ts"] = "disabled"  # or frames would be shown later, by what the codec reorders them
    output = av.open(file, "w", format=_FORMATS[out.suffix.lower()], container_options=options)
    output.flags |= _BITEXACT
    return output


def _muxed(output: "OutputContainer", packet: "Packet", *, is_copied: bool) -> bool:
    """Write a packet; false for one that is copied and that the container takes for damaged."""
    import av

    try:
        output.mux(packet)
    except av.error.InvalidDataError:
        if not is_copied:
            raise
        return False
    return True


def _add_streams(
    output: "OutputContainer", out: Path, encoding: Encoding, original: "InputContainer | None"
) -> tuple["VideoStream", dict[int, "Stream"]]:
    """Add a stream for the frames and, by their index, those that are copied."""
    try:
        video = cast("VideoStream", output.add_stream(encoding.codec, rate=encoding.rate))
    except ValueError as error:
        raise UserError(f"{out}: {out.suffix} cannot hold {encoding.codec}; choose .mkv, or another --codec") from error
    encoding.configure(video.codec_context)
    video.time_base = encoding.time_base
    copied: dict[int, Stream] = {}
    for stream in (*original.streams.audio, *original.streams.subtitles) if original else ():
        try:
            copy = output.add_stream_from_template(stream)
        except ValueError as error:
            if stream.type == "audio":
                raise UserError(_cannot_hold(out, stream)) from error
            continue
        copy.metadata.update(stream.metadata)
        copy.disposition = stream.disposition
        copied[stream.index] = copy
    if original:
        output.metadata.update({key: text for key, text in original.metadata.items() if key not in _OF_THE_FILE})
        output.set_chapters(original.chapters())
    return video, copied


@contextmanager
def _no_refusal(out: Path, encoding: Encoding, original: "InputContainer | None") -> Iterator[None]:
    """Turn what a container says about its streams into a UserError."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        held = ", ".join([encoding.codec, *map(_codec_of, original.streams.audio if original else ())])
        reason = (error.strerror or "unknown error").lower()
        raise UserError(f"{out}: {out.suffix} cannot hold {held} ({reason}); choose .mkv") from error


def _cannot_hold(out: Path, stream: "Stream") -> str:
    return f"{out}: {out.suffix} cannot hold the film's audio ({_codec_of(stream)}); choose .mkv"


def _codec_of(stream: "Stream") -> str:
    return stream.codec_context.name if stream.codec_context else "of an unknown codec"


def _seconds(packet: "Packet") -> Fraction:
    """When the packet has to be decoded; every packet that is written has such a stamp."""
    return Fraction(packet.dts or 0) * packet.time_base


def _video_packets(parts: Sequence[Path], video: "VideoStream", encoding: Encoding) -> "Iterator[Packet]":
    last: int | None = None
    usual = round(1 / (encoding.rate * encoding.time_base))
    for path in parts:
        for packet in read_packets(path):
            packet.stream, packet.time_base = video, encoding.time_base
            packet.duration = packet.duration or usual
            if last is not None:
                packet.dts = max(packet.dts or 0, last + 1)
            last = packet.dts
            yield packet


def _copied_packets(original: "InputContainer", copied: dict[int, "Stream"]) -> "Iterator[Packet]":
    streams = [stream for stream in original.streams if stream.index in copied]
    for packet in demuxed(original, *streams):
        if packet.dts is not None and packet.size:
            packet.stream = copied[packet.stream_index]
            yield packet
