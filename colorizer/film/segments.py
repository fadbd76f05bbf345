"""Colours films segment by segment: a segment depends on the film, the model and the options, and on no other one."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from colorizer.core.files import atomic_write
from colorizer.film.coloring import color_frames
from colorizer.film.smoothing import ChromaSmoother
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.files import Format, named
from colorizer.photographs.photographs import Photograph, write_photograph
from colorizer.video.codecs import Encoding, find_codec
from colorizer.video.decoding import FilmSource
from colorizer.video.folder import FolderSource
from colorizer.video.parts import PartEnd, encode_part, end_part, kept_plan
from colorizer.video.plan import Plan, Segment, Source
from colorizer.video.scanning import fingerprint_of, plan_film

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# YCbCr of swscale: its matrices, and its ranges.
_MATRIX_CODES = {"709": 1, "601": 5, "2020": 9}
_LIMITED, _FULL = 1, 2


def open_source(given: Path, out: Path, frames_per_second: float) -> FilmSource | FolderSource:
    """Find out what a film holds, or a folder of its frames, and divide it into segments.

    `out` is what it will become: beside it an earlier run may have left the plan. Its number of segments is
    `len(open_source(...).plan.segments)`. Imports no PyTorch. Raises UserError when nothing in it can be coloured.
    """
    if given.is_dir():
        return FolderSource(given, Fraction(frames_per_second).limit_denominator(1001), ChromaSmoother.MEMORY)
    plan = kept_plan(out, fingerprint_of(given)) if given.is_file() else None
    if plan is None:
        plan = plan_film(given, ChromaSmoother.MEMORY)
    return FilmSource(given, plan)


def encoding_for(plan: Plan, codec_name: str, quality: int | None) -> Encoding:
    """Choose how a film's frames are encoded. Raises the errors of `find_codec`."""
    codec, quality = find_codec(codec_name, quality)
    height, width = plan.size
    return Encoding(
        codec=codec_name,
        quality=quality,
        size=(height + height % 2, width + width % 2) if codec.even else plan.size,
        time_base=plan.time_base,
        rate=plan.rate,
        pixel_aspect=plan.pixel_aspect,
        matrix=plan.matrix,
        primaries=plan.primaries,
        transfer=plan.transfer,
        pixel_format=codec.pixel_format,
    )


def color_segment(
    source: Source,
    segment: Segment,
    colorizer: Colorizer,
    encoding: Encoding,
    part: Path,
    on_frame: Callable[[int], None],
) -> None:
    """Colour a segment and write it, encoded, to `part`, which appears when it is whole.

    `on_frame` is called with the number of frames that were done since. Raises UserError when there is no room.
    """

    def finish(stamp: int, rgb: NDArray[np.uint8]) -> "VideoFrame":
        return _video_frame(stamp, rgb, encoding)

    def counted() -> "Iterator[VideoFrame]":
        for frame in color_frames(source.frames(segment), colorizer, finish):
            yield frame
            on_frame(1)

    with atomic_write(part) as partial, partial.open("wb") as file:
        num_frames = encode_part(file, counted(), encoding)
        end_part(file, PartEnd(num_frames, source.num_damaged(segment)))


def color_pictures(
    source: FolderSource,
    segment: Segment,
    colorizer: Colorizer,
    targets: Sequence[Path],
    file_format: Format,
    on_frame: Callable[[int], None],
) -> None:
    """Colour a segment and write its frames as photographs, into one file each; `on_frame` as in `color_segment`."""

    def finish(number: int, rgb: NDArray[np.uint8]) -> None:
        write_photograph(targets[number - segment.start], Photograph(pixels=rgb), file_format)

    for _ in color_frames(source.frames(segment), colorizer, finish):
        on_frame(1)


def picture_paths(source: FolderSource, segment: Segment, out: Path, file_format: Format) -> list[Path]:
    """List the files in `out` that the frames of a segment become."""
    paths = source.paths[segment.start : segment.start + segment.num_frames]
    return [out / named(Path(path.name), file_format) for path in paths]


def _video_frame(stamp: int, rgb: NDArray[np.uint8], encoding: Encoding) -> "VideoFrame":
    """Convert sRGB (H, W, 3) to a frame in the encoder's format; a missing row or column is the last one again."""
    import av

    below, right = (wanted - there for wanted, there in zip(encoding.size, rgb.shape, strict=False))
    if below or right:
        rgb = np.asarray(cv2.copyMakeBorder(rgb, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
    if encoding.pixel_format.startswith("yuv"):
        frame = frame.reformat(
            format=encoding.pixel_format,
            dst_colorspace=_MATRIX_CODES[encoding.matrix],
            src_color_range=_FULL,
            dst_color_range=_LIMITED,
            threads=1,
        )
    else:
        frame = frame.reformat(format=encoding.pixel_format, threads=1)
    frame.pts, frame.time_base = stamp, encoding.time_base
    return frame
