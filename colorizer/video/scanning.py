"""Plans a film: reads through it once, without decoding it."""

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from colorizer.core.errors import UserError
from colorizer.video.containers import decoded, demuxed, opened_film, quarter_turns, stamp_of, video_of
from colorizer.video.plan import Plan, divide, guess_matrix

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_SAMPLES = 64  # places of a film whose bytes decide its fingerprint, besides its length
_SAMPLE = 2**16  # bytes at each place
_SLACK = 0.3  # seconds: lengths in headers are not exact
_WITH_LENGTHS = ("mov", "matroska", "avi")  # formats whose header says how long a film is

# Numbers of ITU-T H.273. Transfers of high dynamic range: PQ and HLG.
_MATRICES = {1: "709", 4: "601", 5: "601", 6: "601", 9: "2020", 10: "2020"}
_HIGH_DYNAMIC_RANGE = (16, 18)


def plan_film(path: Path, memory: int) -> Plan:
    """Divide a film into segments. `memory`: how many frames before a segment's first one decide its colours.

    Raises UserError when nothing in the film can be coloured.
    """
    turned = _is_turned(path)
    with opened_film(path) as container:
        stream = video_of(container, path)
        context = stream.codec_context
        if context.color_trc in _HIGH_DYNAMIC_RANGE:
            raise UserError(f"{path} has a high dynamic range (HDR): convert it to SDR first")
        stamps, keys, end = _scan(container, stream, path)
        height, width = context.height, context.width
        aspect = stream.sample_aspect_ratio or Fraction(1)
        return Plan(
            size=(width, height) if turned else (height, width),
            time_base=stream.time_base or Fraction(1, 1000),
            rate=stream.average_rate or stream.guessed_rate or Fraction(24),
            segments=divide(stamps, keys, memory),
            fingerprint=fingerprint_of(path),
            pixel_aspect=1 / aspect if turned else aspect,
            matrix=_MATRICES.get(context.colorspace, guess_matrix(height, width)),
            primaries=context.color_primaries,
            transfer=context.color_trc,
            breaks_off=_break(container, end),
        )


def fingerprint_of(path: Path) -> str:
    """Hash the length of a film and bytes from many places of it: films are too long to be read whole each time."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for number in range(_SAMPLES):
            file.seek(max(0, size - _SAMPLE) * number // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()[:32]


def _is_turned(path: Path) -> bool:
    """Whether frames lie on their side; raises UserError when none can be decoded."""
    with opened_film(path) as container:
        for packet in demuxed(container, video_of(container, path)):
            for frame in decoded(packet) or []:
                return quarter_turns(frame) % 2 == 1
    raise UserError(f"{path} is damaged: no frame of it can be decoded; give another copy of it")


def _scan(container: "InputContainer", stream: "VideoStream", path: Path) -> tuple[list[int], list[int], float]:
    """The time stamps of all frames and of the key frames, sorted, and the seconds at which the last packet ends."""
    stamps, keys, last, end = [], [], None, 0.0
    for packet in demuxed(container):
        stamp = stamp_of(packet)
        if stamp is None or not packet.size:
            continue
        end = max(end, float((stamp + (packet.duration or 0)) * packet.time_base))
        if packet.stream_index != stream.index or packet.is_discard:
            continue
        if last is not None and packet.dts is not None and packet.dts < last:
            raise UserError(f"{path}: its time stamps go back; make them run on first, with FFmpeg for example")
        last = packet.dts
        stamps.append(stamp)
        if packet.is_keyframe:
            keys.append(stamp)
    if not stamps:
        raise UserError(f"{path} is damaged or has no time stamps: no frame of it can be found")
    return sorted(stamps), sorted(keys), end


def _break(container: "InputContainer", end: float) -> tuple[float, float] | None:
    """Seconds that can be read, and seconds that the header promises, when these are more."""
    if not container.duration or not any(name in container.format.name for name in _WITH_LENGTHS):
        return None
    promised = container.duration / 1e6
    readable = end - (container.start_time or 0) / 1e6
    return (readable, promised) if readable < promised - _SLACK else None
