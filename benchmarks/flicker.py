"""Flicker of films coloured frame by frame, smoothed, and true, on films in which the motion is known.

    python -m benchmarks.flicker [--model MODEL] [--frames 40] [--sheets FOLDER]

Warping error: the mean squared change of a* and b* of a point from one frame to the next, at the pixels whose point was
to be seen in both. CDC: Jensen-Shannon divergence of the distributions of R, G and B in frames 1, 2 and 4 apart, times
1000, within shots. AB error: of all pixels, and of those within 8 px of an edge that moves over a background. With
--sheets it also writes three sheets of frames.
"""

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.known_motion import Film, films
from colorizer.core.files import atomic_write
from colorizer.film.consistency import DISTANCES, color_histograms, distribution_consistency, warping_error
from colorizer.film.smoothing import ChromaSmoother
from colorizer.models.registry import MODEL_PATH
from colorizer.models.twin import load_for_photographs
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.photographs import Photograph
from colorizer.pixels.colors import lightness_of

# Films and frames of the sheets. The last one has the cut in its middle.
SHEETS = {"zoom": range(20, 25), "fast object": range(18, 28, 2), "cuts": range(18, 23)}
_TILE = (192, 144)  # of a frame on a sheet; multiples of 16, so that JPEG treats equal frames alike
SCORES = ["warping error", *(f"CDC {distance}" for distance in DISTANCES), "mean CDC", "AB error", "AB error, edges"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODEL_PATH)
    parser.add_argument("--frames", type=int, default=40, help="of each film")
    parser.add_argument("--sheets", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    model = load_for_photographs(options.model)
    colorizer = Colorizer(model=model, size=model.info.training_size)
    print(f"| film | | {' | '.join(SCORES)} |\n|---|---|{'---:|' * len(SCORES)}")
    for film in films(options.frames):
        alone, smoothed = colored(film, colorizer, None), colored(film, colorizer, ChromaSmoother())
        methods = {"each frame alone": alone, "smoothed": smoothed, "truth": film.frames}
        scores = {method: score(film, frames) for method, frames in methods.items()}
        for method, values in scores.items():
            print(f"| {film.name} | {method} | {' | '.join(_shown(value) for value in values)} |", flush=True)
        changes = (after / before - 1 for before, after in zip(*list(scores.values())[:2], strict=True))
        print(f"| | *change* | {' | '.join(_shown(100 * change, '+.1f', ' %') for change in changes)} |", flush=True)
        if options.sheets and film.name in SHEETS:
            rows = {"grey": np.stack([film.grey] * 3, axis=-1), "alone": alone, "smoothed": smoothed}
            write_sheet(options.sheets, film, {**rows, "truth": film.frames})


def colored(film: Film, colorizer: Colorizer, smoother: ChromaSmoother | None) -> NDArray[np.uint8]:
    """Colour a film as `colorize` does, frame by frame: sRGB (n, H, W, 3)."""
    height, width = colorizer.shape(*film.grey.shape[1:]).inner
    frames = []
    for grey in film.grey:
        photograph = Photograph(pixels=np.dstack([grey] * 3))
        network_input = colorizer.network_input(photograph)
        ab = colorizer.predict(network_input[None])[0, :height, :width]
        if smoother:
            ab = smoother(np.rint(lightness_of(grey)).astype(np.uint8), ab)
        frames.append(colorizer.recolor(photograph, network_input, ab).pixels)
    return np.stack(frames)


def score(film: Film, frames: NDArray[np.uint8]) -> list[float]:
    """Compute the `SCORES` of a film coloured as `frames`."""
    chroma, truth = _chroma(frames), _chroma(film.frames)
    numbers = [number for number in range(1, len(frames)) if film.seen[number].any()]
    errors = [
        warping_error(chroma[number], chroma[number - 1], film.before[number], film.seen[number]) for number in numbers
    ]
    shots = [[color_histograms(frame) for frame in shot] for shot in _shots(film, frames)]
    consistency = [
        1000 * float(np.mean([distribution_consistency(shot, distance) for shot in shots])) for distance in DISTANCES
    ]
    ab_error = np.abs(chroma - truth).mean(axis=-1)
    at_edges = float(ab_error[film.edges].mean()) if film.edges.any() else float("nan")
    return [
        float(np.mean(errors)), *consistency, float(np.mean(consistency)), float(ab_error.mean()), at_edges,
    ]  # fmt: skip


def write_sheet(folder: Path, film: Film, rows: dict[str, NDArray[np.uint8]]) -> None:
    """Write some frames of a film beside one another, a row for each way of colouring it."""
    numbers = list(SHEETS[film.name])
    lines = [np.concatenate([frames[number] for number in numbers], axis=1) for frames in rows.values()]
    sheet = Image.fromarray(np.concatenate(lines)).resize((_TILE[0] * len(numbers), _TILE[1] * len(rows)))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for index, name in enumerate(rows):
        draw.text((5, _TILE[1] * index + 3), name, "white", font, stroke_width=2, stroke_fill="black")
    for index, number in enumerate(numbers):
        draw.text((_TILE[0] * index + 160, 3), str(number), "white", font, stroke_width=2, stroke_fill="black")
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / f"film-{film.name.replace(' ', '-')}.jpg") as path:
        sheet.save(path, format="JPEG", quality=88, subsampling=0)


def _chroma(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """a*, b* of frames, (n, H, W, 2)."""
    lab = [cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for frame in frames]
    return np.stack(lab)[..., 1:].copy()


def _shots(film: Film, frames: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    return (frames[start:end] for start, end in pairwise([0, *film.cuts, len(frames)]))


def _shown(value: float, style: str = ".2f", unit: str = "") -> str:
    return "" if np.isnan(value) else f"{value:{style}}{unit}"


if __name__ == "__main__":
    main()
