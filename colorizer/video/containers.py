"""Opens films with PyAV, which holds FFmpeg's libraries, and reads their packets."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from colorizer.core.errors import UserError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


@contextmanager
def opened_film(path: Path) -> Iterator["InputContainer"]:
    """Open a film. Raises UserError when it is missing, damaged from the start, or no film."""
    import av

    try:
        # No name is taken for an address, and no playlist leads to one.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except PermissionError:
        raise UserError(f"{path} cannot be read: permission denied") from None
    except av.FFmpegError as error:
        reason = (error.strerror or "unknown format").lower()
        raise UserError(f"{path} is damaged or not a film ({reason}): give another copy of it") from error
    with container:
        yield container


def video_of(container: "InputContainer", path: Path) -> "VideoStream":
    """Return the film's first video stream that is no cover picture; raises UserError when there is none."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if not stream.codec_context:
                raise UserError(f"{path}: this build of FFmpeg (in PyAV) cannot decode its video")
            return stream
    raise UserError(f"{path} has no video stream: there is nothing to colour")


def demuxed(container: "InputContainer", *streams: "Stream") -> Iterator["Packet"]:
    """Read the packets of some streams, or of all, to the end of the film or to the place where it breaks off."""
    import av

    packets = container.demux(*streams)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        yield packet


def stamp_of(packet: "Packet") -> int | None:
    """Return when the packet is shown, or else decoded, in units of its time base."""
    return packet.dts if packet.pts is None else packet.pts


def decoded(packet: "Packet[VideoStream]") -> "list[VideoFrame] | None":
    """Decode a packet; None if it is damaged."""
    import av

    try:
        return packet.decode()
    except EOFError:
        return []
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError):
        return None


def quarter_turns(frame: "VideoFrame") -> int:
    """Return how often a frame has to be turned counterclockwise by 90 degrees to stand upright: 0 to 3."""
    return round(frame.rotation / 90) % 4
