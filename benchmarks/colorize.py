"""How fast photographs are coloured, what memory that takes, and how ONNX Runtime compares with PyTorch.

    python -m benchmarks.colorize [FOLDER] [--model FILE] [--against CHECKOUT]
    python -m benchmarks.colorize --scans [RAW] [--model FILE]

FOLDER holds photographs; without it the built-in ones are taken. Takes about three minutes on two cores. --against
measures another version of the code, in the folder CHECKOUT, in turn with this one. --scans measures scans of up to 300
megapixels and the formats of phones instead, once each, and the camera RAW if one is given; about 15 minutes and 5 GB
of memory.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pillow_heif
from PIL import Image

from colorizer.data.sample import built_in_photographs
from colorizer.models.export import export_onnx
from colorizer.models.model import Model, load_model
from colorizer.models.registry import MODEL_PATH
from colorizer.photographs.decoding import read_photograph, read_size
from colorizer.photographs.files import find_photographs

ROUNDS = 3
LARGE = {"24 megapixels": (6000, 4000), "100 megapixels": (10_000, 10_000)}  # width, height
A4_AT_1200_DPI = (9921, 14_031)
LARGEST = (15_000, 20_000)
BATCHES = ((1, 64), (16, 64), (1, 256))  # images, side

HERE = Path(__file__).resolve().parents[1]
FIRST_USE = "one photograph, the first with its model"
COLUMNS = ("seconds", "of processor", "largest memory, MB")
KINDS = (".2f", ".2f", ".0f")

# A process of its own: a child's largest memory is not less than that of the process that started it.
MEASURE = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
MEASURE += "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
MEASURE += "print(used.ru_utime + used.ru_stime, used.ru_maxrss)"


class Taken(NamedTuple):
    """What a command took: seconds, seconds of processor time, and its largest resident memory in MB."""

    seconds: float
    processor: float
    memory: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--scans", action="store_true")
    parser.add_argument("--model", type=Path, default=MODEL_PATH)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="colorize.") as temporary:
        place = Path(temporary)
        if options.scans:
            measure_scans(place, options.folder, options.model)
            return
        folder = options.folder.resolve() if options.folder else write_built_in(place / "built-in")
        photographs = [path for path, _ in find_photographs(folder)]
        inputs: dict[str, list[object]] = {name: [photographs[0]] for name in (FIRST_USE, "one photograph")}
        inputs[f"the folder's {len(photographs)} photographs"] = [folder]
        for name, size in LARGE.items():
            inputs[f"one of {name}"] = [enlarged(photographs[0], size, place / f"{name}.jpg")]
        checkouts = [*([options.against] if options.against else []), HERE]
        columns = [f"{column}{when}" for column in COLUMNS for when in (" before", "")[-len(checkouts) :]]
        print(f"| what | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
        for name, arguments in inputs.items():
            cache = place / "cache"
            taken: list[list[Taken]] = [[] for _ in checkouts]
            for _ in range(ROUNDS):
                for checkout, rounds in zip(checkouts, taken, strict=True):
                    rounds.append(colorize(arguments, options.model, place / "out", checkout, cache))
                if name == FIRST_USE:
                    shutil.rmtree(cache, ignore_errors=True)
            medians = [[statistics.median(values) for values in zip(*rounds, strict=True)] for rounds in taken]
            by_column = zip(zip(*medians, strict=True), KINDS, strict=True)
            shown = [f"{value:{kind}}" for values, kind in by_column for value in values]
            print(f"| {name} | {' | '.join(shown)} |", flush=True)

        check = export_onnx(options.model, place / "model.onnx")
        models = [load_model(options.model, "cpu", precision) for precision in ("fp32", "bf16")]
        models.append(load_model(place / "model.onnx"))
        print(f"\nLargest difference of ONNX Runtime from PyTorch: {check.difference:.1e} of normalised chroma\n")
        print("| images a batch, side | PyTorch fp32, ms | PyTorch bf16, ms | ONNX Runtime, ms |\n|---|---:|---:|---:|")
        for count, side in BATCHES:
            lightness = np.random.default_rng(0).integers(0, 256, (count, side, side), np.uint8)
            cells = "".join(f" {seconds * 1e3:.1f} |" for seconds in compare(models, lightness))
            print(f"| {count}, {side} px |{cells}")


def measure_scans(place: Path, raw: Path | None, model: Path) -> None:
    """Each file goes when it is measured: the largest has 2 GB."""
    pillow_heif.register_heif_opener()  # writes HEIC, of requirements-dev.txt; the command reads it without
    grey = np.asarray(Image.fromarray(next(pixels for _, pixels in built_in_photographs())).convert("L"))
    inputs: dict[str, Callable[[], Path]] = {
        "HEIC of 24 megapixels": lambda: enlarged_scan(grey, LARGE["24 megapixels"], 8, place / "a.heic", quality=90),
        "AVIF of 24 megapixels": lambda: enlarged_scan(grey, LARGE["24 megapixels"], 8, place / "a.avif", quality=90),
    }
    if raw:
        height, width = read_size(raw)
        inputs[f"camera RAW ({raw.suffix}) of {height * width / 1e6:.0f} megapixels"] = lambda: raw
    for size in (A4_AT_1200_DPI, LARGEST):
        for bits in (8, 16):
            name = f"grey TIFF of {size[0] * size[1] / 1e6:.0f} megapixels, {bits} bits"
            inputs[name] = partial(enlarged_scan, grey, size, bits, place / "a.tif")
    print("| what | seconds | largest memory, MB | bytes a pixel |\n|---|---:|---:|---:|")
    for name, write in inputs.items():
        path = write()
        height, width = read_size(path)
        seconds, _, memory = colorize([path], model, place / "out", HERE, place / "cache")
        print(f"| {name} | {seconds:.0f} | {memory:,.0f} | {memory * 1e6 / (height * width):.1f} |", flush=True)
        if path != raw:
            path.unlink()


def enlarged_scan(grey: np.ndarray, size: tuple[int, int], bits: int, path: Path, **options: Any) -> Path:
    """A photograph (H, W) uint8 at another size (width, height), with the grain of film."""
    enlarged = cv2.resize(grey.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(0).normal(0, 2, (1, size[0])).astype(np.float32)
    for row in enlarged:
        grain = np.roll(grain, 7919)
        row += grain[0]
    largest, kind = (255, np.uint8) if bits == 8 else (65535, np.uint16)
    pixels = np.rint(np.clip(enlarged / 255, 0, 1) * largest).astype(kind)
    Image.fromarray(pixels).save(path, **options)
    return path


def write_built_in(folder: Path) -> Path:
    folder.mkdir()
    for name, pixels in built_in_photographs():
        Image.fromarray(pixels).convert("L").save((folder / name).with_suffix(".jpg"), quality=95)
    return folder


def enlarged(photograph: Path, size: tuple[int, int], path: Path) -> Path:
    Image.fromarray(read_photograph(photograph).pixels).resize(size, Image.Resampling.BICUBIC).save(path, quality=90)
    return path


def colorize(arguments: list[object], model: Path, out: Path, checkout: Path, cache: Path) -> Taken:
    """Run the whole command, with the code in the folder `checkout`."""
    command = [sys.executable, "-m", "colorizer", "colorize", *map(str, arguments), "--out", str(out), "--force"]
    environment = os.environ | {"PYTHONPATH": str(checkout), "XDG_CACHE_HOME": str(cache)}
    return taken_by(
        [*command, "--model", str(model.resolve())], stderr=subprocess.DEVNULL, cwd=checkout, env=environment
    )


def taken_by(command: Sequence[str], **options: Any) -> Taken:
    """Measure a command; `options` are those of `subprocess.run`."""
    started = time.monotonic()
    measured = [sys.executable, "-S", "-c", MEASURE, *command]
    printed = subprocess.run(measured, stdout=subprocess.PIPE, encoding="utf-8", check=True, **options).stdout
    seconds = time.monotonic() - started
    processor, memory = printed.split()
    return Taken(seconds, float(processor), int(memory) * 1024 / 1e6)


def compare(models: list[Model], lightness: np.ndarray) -> list[float]:
    """Median seconds after a warm-up, one model after the other: ONNX Runtime's threads spin on after a run."""
    taken: list[list[float]] = [[] for _ in models]
    for model, seconds in zip(models, taken, strict=True):
        time.sleep(1)
        for _ in range(20 + ROUNDS):
            started = time.monotonic()
            model.predict(lightness)
            seconds.append(time.monotonic() - started)
    return [statistics.median(seconds[ROUNDS:]) for seconds in taken]


if __name__ == "__main__":
    main()
