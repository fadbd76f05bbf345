"""What is known of a film, and its segments, which are coloured one by one, in any order, on any machine."""

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from colorizer.core.errors import UserError

SEGMENT_FRAMES = 240  # 10 s of most films


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Frames whose time stamps are in [start, end), of which the first is at `start`; `end` is None for the last one.

    number: from 1. lead: the time stamp of a frame before `start` from which the film is decoded and smoothed, so that
    the colours at `start` are those that follow from the frames before. seek: that of a key frame at or before `lead`.
    num_frames: how many frames to expect. All stamps are in units of the film's time base.
    """

    number: int
    seek: int
    lead: int
    start: int
    end: int | None
    num_frames: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is known of a film before its frames are decoded.

    size: height and width of its frames, upright, in pixels. time_base: seconds of one unit of the time stamps. rate:
    frames per second, on average. pixel_aspect: width of a pixel over its height, upright. matrix: what turns RGB into
    YCbCr, `709`, `601` or `2020`. primaries, transfer: the film's tags as numbers of ITU-T H.273. fingerprint:
    of the film's bytes. breaks_off: seconds at which the film ends before its time, and seconds that it should have.
    """

    size: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    segments: Sequence[Segment]
    fingerprint: str
    pixel_aspect: Fraction = Fraction(1)
    matrix: str = "601"
    primaries: int = 2
    transfer: int = 2
    breaks_off: tuple[float, float] | None = None

    @property
    def num_frames(self) -> int:
        """How many frames the film seems to have: some may be damaged."""
        return sum(segment.num_frames for segment in self.segments)

    def segment(self, number: int) -> Segment:
        """Return a segment by its number, from 1; raises UserError when there is none."""
        if not 1 <= number <= len(self.segments):
            raise UserError(f"--segment {number}: the film has the segments 1 to {len(self.segments)}")
        return self.segments[number - 1]


@dataclass(frozen=True)
class Frame:
    """A decoded frame, upright: its time stamp in units of the film's time base, and its sRGB (H, W, 3) uint8.

    is_lead: it belongs to an earlier segment, and is there to smooth colours only.
    """

    stamp: int
    pixels: NDArray[np.uint8]
    is_lead: bool


class Source(Protocol):
    """A film, however its frames are kept."""

    plan: Plan

    def frames(self, segment: Segment) -> Iterator[Frame]:
        """Decode the frames of a segment and those that lead to it, in order of their time stamps."""

    def num_damaged(self, segment: Segment) -> int:
        """Return how many frames of a segment could not be decoded, once `frames` has given the others."""


def guess_matrix(height: int, width: int) -> str:
    """Return the matrix that players take for a film of this size that does not name one."""
    return "709" if width >= 1280 or height > 576 else "601"


def divide(stamps: Sequence[int], keys: Sequence[int], memory: int) -> list[Segment]:
    """Divide frames with these time stamps, sorted, into segments.

    keys: the stamps of key frames, sorted. memory: how many frames before a segment's first one decide its colours.
    Half a segment is the least that is one; fewer frames belong to the segment before.
    """
    segments = []
    count = max(1, (len(stamps) + SEGMENT_FRAMES // 2) // SEGMENT_FRAMES)
    for number in range(1, count + 1):
        first = (number - 1) * SEGMENT_FRAMES
        after = first + SEGMENT_FRAMES if number < count else len(stamps)
        lead = stamps[max(0, first - memory)]
        before = bisect_right(keys, lead)
        segments.append(
            Segment(
                number=number,
                seek=keys[before - 1] if before else stamps[0],
                lead=lead,
                start=stamps[first],
                end=stamps[after] if after < len(stamps) else None,
                num_frames=after - first,
            )
        )
    return segments


def plan_to_text(plan: Plan) -> str:
    """Write a plan as JSON."""
    return json.dumps(asdict(plan), default=str, indent=1) + "\n"


def plan_from_text(text: str) -> Plan:
    """Read a plan from JSON."""
    facts = json.loads(text)
    for name in ("time_base", "rate", "pixel_aspect"):
        facts[name] = Fraction(facts[name])
    facts["size"] = tuple(facts["size"])
    facts["segments"] = [Segment(**segment) for segment in facts["segments"]]
    facts["breaks_off"] = facts["breaks_off"] and tuple(facts["breaks_off"])
    return Plan(**facts)
