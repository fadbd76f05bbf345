"""Codecs for coloured films, and how they are told the quality."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from colorizer.core.errors import UserError

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

_THREADS = 4  # a fixed number: on how many threads some encoders run decides their bytes


@dataclass(frozen=True, kw_only=True)
class Codec:
    """A codec: the options of its encoder for a quality, and the quality that is taken when none is given.

    qualities: the range of the constant rate factor (CRF), smaller is better; None for lossless ones. even: whether
    both sides of a frame have to be even.
    """

    options: Callable[[int], Mapping[str, str]]
    quality: int
    qualities: range | None
    pixel_format: str = "yuv420p"
    even: bool = True


CODECS: dict[str, Codec] = {
    "libx264": Codec(options=lambda crf: {"crf": str(crf), "preset": "veryfast"}, quality=18, qualities=range(52)),
    "libx265": Codec(
        options=lambda crf: {"crf": str(crf), "preset": "veryfast", "x265-params": "log-level=none:pools=4"},
        quality=20,
        qualities=range(52),
    ),
    "libsvtav1": Codec(
        options=lambda crf: {"crf": str(crf), "preset": "9", "svtav1-params": "lp=4"},
        quality=28,
        qualities=range(1, 64),
    ),
    "libvpx-vp9": Codec(
        options=lambda crf: {"crf": str(crf), "b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1"},
        quality=28,
        qualities=range(64),
    ),
    "ffv1": Codec(options=lambda _: {"level": "3"}, quality=0, qualities=None, pixel_format="bgr0", even=False),
}


def find_codec(name: str, quality: int | None) -> tuple[Codec, int]:
    """Return a codec and the quality to take.

    Raises UserError for names and qualities that there are not, and for a codec that this build of FFmpeg lacks.
    """
    import av

    if name not in CODECS:
        raise UserError(f"--codec {name}: take one of {', '.join(CODECS)}")
    codec = CODECS[name]
    if quality is not None and codec.qualities is None:
        raise UserError(f"--quality {quality}: {name} is lossless and takes none")
    if quality is not None and codec.qualities is not None and quality not in codec.qualities:
        raise UserError(
            f"--quality {quality}: {name} takes {codec.qualities[0]} (best) to {codec.qualities[-1]} (smallest file)"
        )
    try:
        av.Codec(name, "w")
    except ValueError as error:
        raise UserError(f"--codec {name}: this build of FFmpeg (in PyAV) does not have it; take another one") from error
    return codec, codec.quality if quality is None else quality


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How frames are encoded, the same for all segments of a film.

    size: height and width of the frames, even if the codec needs it. quality, pixel_format: as in `Codec`. The rest as
    in `Plan`.
    """

    codec: str
    quality: int
    size: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    pixel_aspect: Fraction
    matrix: str
    primaries: int
    transfer: int
    pixel_format: str

    def configure(self, context: "VideoCodecContext") -> None:
        """Set up an encoder."""
        context.height, context.width = self.size
        context.pix_fmt = self.pixel_format
        context.time_base, context.framerate = self.time_base, self.rate
        context.sample_aspect_ratio = self.pixel_aspect
        context.color_primaries, context.color_trc = self.primaries, self.transfer
        if self.pixel_format.startswith("yuv"):
            context.color_range, context.colorspace = 1, {"709": 1, "601": 6, "2020": 9}[self.matrix]
        else:
            context.color_range, context.colorspace = 2, 0
        context.thread_count = _THREADS
        context.options = dict(CODECS[self.codec].options(self.quality))
