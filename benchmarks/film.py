"""How fast films are coloured, and what memory that takes: the command on a short film and on a long one.

    python -m benchmarks.film [--model FILE] [--codec libx264] [--frames 150 750] [--size 480 854]

The films are moving crops of a built-in photograph, with sound. Frames per second are those that the long film has more
than the short one, over the seconds that it takes longer: the start of the program is left out. Takes about two minutes
on two cores.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.colorize import Taken, taken_by
from colorizer.data.sample import built_in_photographs
from colorizer.models.registry import MODEL_PATH

RATE = 25  # frames per second of the films
SAMPLE_RATE = 48_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(MODEL_PATH))
    parser.add_argument("--codec", default="libx264")
    parser.add_argument("--frames", type=int, nargs=2, default=(150, 750))
    parser.add_argument("--size", type=int, nargs=2, default=(480, 854), metavar=("HEIGHT", "WIDTH"))
    options = parser.parse_args()
    short, long = options.frames
    with tempfile.TemporaryDirectory() as folder:
        taken = {count: measured(Path(folder), count, options) for count in (short, long)}
    print("| frames | seconds | of processor | largest memory, MB |")
    print("|---:|---:|---:|---:|")
    for count, one in taken.items():
        print(f"| {count} | {one.seconds:.1f} | {one.processor:.1f} | {one.memory:.0f} |")
    more = long - short
    seconds, processor = (taken[long][column] - taken[short][column] for column in (0, 1))
    print(f"{more / seconds:.1f} frames/s, {1000 * processor / more:.0f} ms of processor time a frame")


def measured(folder: Path, count: int, options: argparse.Namespace) -> Taken:
    """Colour a film of so many frames with the command."""
    film = folder / f"{count}.mkv"
    write_film(film, count, *options.size)
    command = [sys.executable, "-m", "colorizer", "colorize", film, "--out", folder / f"{count}-coloured.mkv"]
    command += ["--model", options.model, "--codec", options.codec]
    return taken_by([str(part) for part in command])


def write_film(path: Path, count: int, height: int, width: int) -> None:
    """Write a grey film with sound, in H.264 and AAC."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "veryfast"})
        video.height, video.width = height, width
        sound = container.add_stream("aac", rate=SAMPLE_RATE)
        for pixels in moving_crops(count, height, width):
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(video.encode())
        for part in sine(count / RATE):
            container.mux(sound.encode(part))
        container.mux(sound.encode())


def moving_crops(count: int, height: int, width: int) -> Iterator[NDArray[np.uint8]]:
    """Yield what a camera sees that goes to and fro over a photograph: sRGB (height, width, 3), grey."""
    photograph = dict(built_in_photographs())["china.jpg"]
    grey = cv2.cvtColor(cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    large = np.asarray(cv2.resize(grey, (width * 3 // 2, height * 3 // 2), interpolation=cv2.INTER_AREA), np.uint8)
    for number in range(count):
        down, across = (round((1 - np.cos(number / period)) / 4 * side) for period, side in ((37, height), (53, width)))
        yield np.ascontiguousarray(large[down : down + height, across : across + width])


def sine(seconds: float) -> Iterator[av.AudioFrame]:
    """Yield a tone of 440 Hz."""
    wave = 0.2 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)
    for start in range(0, len(wave), 1024):
        samples = wave[None, start : start + 1024].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        yield frame


if __name__ == "__main__":
    main()
