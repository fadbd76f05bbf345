"""How fast photographs are coloured, what memory that takes, and how ONNX Runtime compares with PyTorch.

    python -m benchmarks.colorize [FOLDER] [--model FILE]

FOLDER holds photographs; without it the built-in ones are taken. Takes about three minutes on two cores.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from colorizer.data.sample import built_in_photographs
from colorizer.export import export_onnx
from colorizer.models.model import Model, load_model
from colorizer.models.registry import MODEL_PATH
from colorizer.photographs.decoding import read_photograph
from colorizer.photographs.photographs import find_photographs

ROUNDS = 5
LARGE = {"24 megapixels": (6000, 4000), "100 megapixels": (10_000, 10_000)}  # width, height
BATCHES = ((1, 64), (16, 64), (1, 256))  # images, side

# A process of its own: a child's largest memory is not less than that of the process that started it.
MEASURE = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
MEASURE += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--model", type=Path, default=MODEL_PATH)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="colorize.") as temporary:
        place = Path(temporary)
        folder = options.folder or write_built_in(place / "built-in")
        photographs = [path for path, _ in find_photographs(folder)]
        inputs: dict[str, list[object]] = {"one photograph": [photographs[0]]}
        inputs[f"the folder's {len(photographs)} photographs"] = [folder]
        for name, size in LARGE.items():
            inputs[f"one of {name}"] = [enlarged(photographs[0], size, place / f"{name}.jpg")]
        print("| what | seconds | largest memory, MB |\n|---|---:|---:|")
        for name, arguments in inputs.items():
            taken = [colorize(arguments, options.model, place / "out") for _ in range(ROUNDS)]
            seconds, memory = (statistics.median(values) for values in zip(*taken, strict=True))
            print(f"| {name} | {seconds:.1f} | {memory:.0f} |", flush=True)

        check = export_onnx(options.model, place / "model.onnx")
        models = [load_model(options.model, "cpu", precision) for precision in ("fp32", "bf16")]
        models.append(load_model(place / "model.onnx"))
        print(f"\nLargest difference of ONNX Runtime from PyTorch: {check.difference:.1e} of normalised chroma\n")
        print("| images a batch, side | PyTorch fp32, ms | PyTorch bf16, ms | ONNX Runtime, ms |\n|---|---:|---:|---:|")
        for count, side in BATCHES:
            lightness = np.random.default_rng(0).integers(0, 256, (count, side, side), np.uint8)
            cells = "".join(f" {seconds * 1e3:.1f} |" for seconds in compare(models, lightness))
            print(f"| {count}, {side} px |{cells}")


def write_built_in(folder: Path) -> Path:
    folder.mkdir()
    for name, pixels in built_in_photographs():
        Image.fromarray(pixels).convert("L").save((folder / name).with_suffix(".jpg"), quality=95)
    return folder


def enlarged(photograph: Path, size: tuple[int, int], path: Path) -> Path:
    Image.fromarray(read_photograph(photograph).pixels).resize(size, Image.Resampling.BICUBIC).save(path, quality=90)
    return path


def colorize(arguments: list[object], model: Path, out: Path) -> tuple[float, float]:
    """Seconds and largest resident memory in MB of the whole command."""
    command = [sys.executable, "-m", "colorizer", "colorize", *map(str, arguments), "--out", str(out), "--force"]
    measured = [sys.executable, "-S", "-c", MEASURE, *command, "--model", str(model)]
    started = time.monotonic()
    memory = subprocess.run(measured, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    return time.monotonic() - started, int(memory) * 1024 / 1e6


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
