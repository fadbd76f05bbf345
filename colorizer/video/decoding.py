"""Decodes the frames of a film, segment by segment."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from colorizer.video.containers import decoded, demuxed, opened_film, quarter_turns, stamp_of, video_of
from colorizer.video.plan import Frame, Plan, Segment

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_THREADS = 4  # of a decoder, at most: each holds some frames
_PROGRESSIVE = (0, 1)  # field orders: unknown, progressive
_MATRIX_CODES = {"709": 1, "601": 5, "2020": 9}  # of swscale
_LIMITED, _FULL = 1, 2  # ranges of YCbCr


class FilmSource:
    """A film in one file, as `plan_film` planned it."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self._path = path
        self.plan = plan
        self._damaged: Counter[int] = Counter()  # packets that could not be decoded, by segment

    def frames(self, segment: Segment) -> Iterator[Frame]:
        """Decode frames; what is damaged is left out."""
        self._damaged[segment.number] = 0
        last = segment.lead - 1
        for frame in self._decoded(segment):
            stamp = frame.pts
            if stamp is None or stamp <= last:
                continue
            if segment.end is not None and stamp >= segment.end:
                return
            last = stamp
            yield Frame(stamp, _upright_rgb(frame, self.plan), is_lead=stamp < segment.start)

    def num_damaged(self, segment: Segment) -> int:
        """Return how many packets of a segment could not be decoded, once `frames` has given the others."""
        return self._damaged[segment.number]

    def _decoded(self, segment: Segment) -> Iterator["VideoFrame"]:
        with opened_film(self._path) as container:
            stream = video_of(container, self._path)
            context = stream.codec_context
            context.thread_type, context.thread_count = "AUTO", min(_THREADS, os.cpu_count() or 1)
            packets = self._packets_from(container, stream, segment)
            frames = self._decoded_packets(packets, segment)
            yield from frames if context.field_order in _PROGRESSIVE else _deinterlaced(frames, stream)

    def _packets_from(
        self, container: "InputContainer", stream: "VideoStream", segment: Segment
    ) -> Iterator["Packet[VideoStream]"]:
        """Demux from a key frame at or before the segment's lead: some formats seek to a later place than asked."""
        wanted, back = segment.seek, max(1, round(1 / self.plan.time_base))
        while wanted > self.plan.segments[0].start and _seek(container, stream, wanted):
            packets = demuxed(container, stream)
            packet = next(packets, None)
            stamp = None if packet is None else stamp_of(packet)
            if packet is not None and stamp is not None and packet.is_keyframe and stamp <= segment.lead:
                yield packet
                yield from packets
                return
            wanted, back = wanted - back, 2 * back
        with opened_film(self._path) as from_start:
            yield from demuxed(from_start, video_of(from_start, self._path))

    def _decoded_packets(self, packets: Iterator["Packet[VideoStream]"], segment: Segment) -> Iterator["VideoFrame"]:
        for packet in packets:
            frames, stamp = decoded(packet), stamp_of(packet)
            if frames is not None:
                yield from frames
            elif stamp is None or (segment.start <= stamp and (segment.end is None or stamp < segment.end)):
                self._damaged[segment.number] += 1


def _seek(container: "InputContainer", stream: "VideoStream", stamp: int) -> bool:
    """Go to a key frame; false where the format cannot."""
    import av

    try:
        container.seek(stamp, stream=stream)
    except av.FFmpegError:
        return False
    return True


def _upright_rgb(frame: "VideoFrame", plan: Plan) -> NDArray[np.uint8]:
    turns = quarter_turns(frame)
    height, width = plan.size[::-1] if turns % 2 else plan.size
    is_full = frame.color_range == _FULL or frame.format.is_rgb or frame.format.name.startswith(("yuvj", "gray"))
    rgb = frame.reformat(
        width=width,
        height=height,
        format="rgb24",
        src_colorspace=None if frame.format.is_rgb else _MATRIX_CODES[plan.matrix],
        src_color_range=_FULL if is_full and frame.color_range != _LIMITED else _LIMITED,
        dst_color_range=_FULL,
        threads=1,
    ).to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, turns))


def _deinterlaced(frames: Iterator["VideoFrame"], stream: "VideoStream") -> Iterator["VideoFrame"]:
    """Make whole frames of those that consist of two fields, one each; others stay as they are. By FFmpeg's bwdif."""
    import av

    graph = av.filter.Graph()
    nodes = graph.add_buffer(template=stream), graph.add("bwdif", "mode=send_frame:deint=interlaced")
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()

    def pulled() -> Iterator["VideoFrame"]:
        while True:
            try:
                frame = graph.vpull()
            except (BlockingIOError, EOFError):
                return
            if frame.pts is not None:  # in halves of the time base
                frame.pts //= 2
            yield frame

    for frame in frames:
        graph.vpush(frame)
        yield from pulled()
    graph.vpush(None)
    yield from pulled()
