"""Films made of the built-in photographs, with PyAV."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from colorizer.data.sample import built_in_photographs

SAMPLE_RATE = 16_000  # of the audio: a sine of 440 Hz


def moving_crops(count: int, height: int, width: int, name: str = "china.jpg") -> Iterator[NDArray[np.uint8]]:
    """A camera that moves over a photograph, in grey: sRGB (height, width, 3)."""
    photograph = cv2.resize(dict(built_in_photographs())[name], (2 * width, 2 * height), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    for number in range(count):
        top, left = number % height // 2, number % width
        yield np.ascontiguousarray(grey[top : top + height, left : left + width])


def write_film(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    *,
    stamps: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 12_800),
    rate: int = 25,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    audio: str | None = None,
    rotation: int = 0,
    pixel_aspect: Fraction = Fraction(1),
    tags: dict[str, int] | None = None,
    interlaced: bool = False,
) -> Path:
    """Write frames (H, W, 3) as a film; with `audio`, the name of a codec, it has sound as well."""
    with av.open(f"file:{path}", "w") as container:
        video = container.add_stream(codec, rate=rate, options=options or {"crf": "10"})
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = pixel_format
        video.codec_context.time_base = time_base
        video.codec_context.sample_aspect_ratio = pixel_aspect
        for name, value in (tags or {}).items():
            setattr(video.codec_context, name, value)
        if interlaced:
            video.codec_context.flags |= av.codec.context.Flags.interlaced_dct | av.codec.context.Flags.interlaced_me
            video.codec_context.field_order = 2
        if rotation:
            video.set_display_rotation(rotation)
        sound = container.add_stream(audio, rate=SAMPLE_RATE) if audio else None
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format=pixel_format)
            frame.pts = stamps[number] if stamps else round(number / rate / time_base)
            frame.time_base = time_base
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if sound:
            for part in _sine(len(frames) / rate):
                container.mux(sound.encode(part))
            container.mux(sound.encode())
    return path


def _sine(seconds: float) -> Iterator[av.AudioFrame]:
    wave = 0.2 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)
    for start in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(
            wave[None, start : start + 1024].astype(np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        yield frame


def read_film(path: Path) -> tuple[list[int], list[NDArray[np.uint8]]]:
    """Time stamps and sRGB of all frames, as a player shows them."""
    with av.open(f"file:{path}") as container:
        frames = list(container.decode(video=0))
        turns = round(frames[0].rotation / 90) % 4
        return [frame.pts for frame in frames], [np.rot90(frame.to_ndarray(format="rgb24"), turns) for frame in frames]
