"""Memory and time of the data stages, load to split, beside a plain copy of the same bytes. Linux only.

    python -m benchmarks.data_stages                     # 25,000 stand-in images of 224 px, 3.8 GB
    python -m benchmarks.data_stages --root ~/arrays     # your own l/ and ab/
    python -m benchmarks.data_stages --sweep             # few and many, large and small images, 12.3 GB

Private memory is RssAnon + RssShmem summed over the process tree: pages of a memory-mapped file belong to the page
cache.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from colorizer.data.sample import make_sample

PROJECT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
STAGES = ("locate", "load", "concatenate", "normalize", "split")
SWEEP = ((2_500, 224), (25_000, 224), (1_000_000, 64))  # images, pixels a side


@dataclass(frozen=True)
class Measurement:
    seconds: float
    private_megabytes: float


def measure(command: list[str | Path], folder: Path) -> Measurement:
    """Run a command and watch its process tree, ten times a second."""
    started, samples, ended = time.monotonic(), [0], threading.Event()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    watcher = threading.Thread(target=watch, args=(psutil.Process(process.pid), samples, ended))
    watcher.start()
    code = process.wait()
    seconds = time.monotonic() - started
    ended.set()
    watcher.join()
    if code:
        sys.exit(f"{command} failed")
    return Measurement(seconds, max(samples) / 1024)


def watch(root: psutil.Process, samples: list[int], ended: threading.Event) -> None:
    while not ended.wait(0.1):
        with suppress(psutil.NoSuchProcess):
            samples.append(sum(private_kilobytes(child.pid) for child in [root, *root.children(recursive=True)]))


def private_kilobytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(size) for size in re.findall(r"Rss(?:Anon|Shmem):\s+(\d+) kB", status))


def write_stand_in(root: Path, count: int, size: int) -> None:
    """Raw arrays of `count` images: crops of the built-in sample's photographs, repeated."""
    crops, _ = make_sample(size=size, train=400, test=100, min_chroma=6.0, seed=0)
    fifth = count // 5
    batches = (2 * fifth, 2 * fifth, count - 4 * fifth)
    write_repeated(root / "l/gray_scale.npy", crops[..., 0], 0, count)
    for number, images in enumerate(batches, start=1):
        write_repeated(root / f"ab/ab{number}.npy", crops[..., 1:], sum(batches[: number - 1]), images)


def write_repeated(path: Path, images: NDArray[np.uint8], first: int, count: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = np.roll(images, -first, axis=0)
    with path.open("wb") as file:
        shape = (count, *images.shape[1:])
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for start in range(0, count, len(images)):
            file.write(images[: count - start].tobytes())


def prepare(workspace: Path, root: Path) -> None:
    """A clone of the last commit, set to these arrays."""
    subprocess.run(["git", "clone", "--quiet", PROJECT, workspace], check=True)
    params = (workspace / "params.yaml").read_text(encoding="utf-8")
    count = len(np.load(root / "l/gray_scale.npy", mmap_mode="r"))
    (workspace / "params.yaml").write_text(
        re.sub(
            r"(?m)^(split:\n  train: )\d+(.*\n.*\n  test: )\d+", rf"\g<1>{count * 4 // 5}\g<2>{count // 5}", params
        ).replace("root: data/sample", f"root: {root}"),
        encoding="utf-8",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="raw arrays; made when left out")
    parser.add_argument("--images", type=int, default=25_000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--sweep", action="store_true", help="one run each of several numbers and sizes of images")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="data-stages-", dir=PROJECT.parent) as folder:
        if options.sweep:
            sweep(Path(folder))
            return
        root = (options.root or Path(folder, "raw")).resolve()
        if not options.root:
            write_stand_in(root, options.images, options.size)
        compare(root, Path(folder), options.runs)


def compare(root: Path, folder: Path, runs: int) -> None:
    """The stages beside the copy, in turn; then, once, what DVC adds."""
    arrays = find_arrays(root)
    print(f"{gigabytes(arrays):.2f} GB of raw arrays, {runs} runs of each: median seconds, largest private memory\n")
    copies, stages = [], []
    for _ in range(runs):
        copies.append(copy(arrays, folder / "copy"))
        stages.append(run_stages(root, folder / "workspace"))
    prepare(folder / "workspace", root)
    repro, nothing = (measure([BIN / "dvc", "repro", "normalize", "split"], folder / "workspace") for _ in range(2))
    baseline = summarise(copies)
    total = summarise([Measurement(sum(s.seconds for s in run), most_memory(run)) for run in stages])
    rows = [("cp --reflink=never + sync", baseline)]
    rows += [
        (f"python -m stages.{name}", summarise([run[index] for run in stages])) for index, name in enumerate(STAGES)
    ]
    rows += [("the five stages", total), ("dvc repro normalize split, a single run", repro)]
    hashing = Measurement(repro.seconds - total.seconds, repro.private_megabytes)
    rows += [("of it DVC's hashing, the stages taken off", hashing), ("dvc repro with nothing to do", nothing)]
    print("| what | seconds | beside the copy | private MB |\n|---|---:|---:|---:|")
    for name, value in rows:
        ratio = value.seconds / baseline.seconds
        print(f"| {name} | {value.seconds:.1f} | {ratio:.2f} | {value.private_megabytes:.0f} |")
    print(
        "\nIn turn:",
        ", ".join(f"{c.seconds:.1f}/{sum(s.seconds for s in r):.1f}" for c, r in zip(copies, stages, strict=True)),
    )


def sweep(folder: Path) -> None:
    print(f"| images | side | GB | {' | '.join(STAGES)} | all, s | s/GB | private MB |\n|{'---:|' * (6 + len(STAGES))}")
    for count, size in SWEEP:
        root = folder / "raw"
        write_stand_in(root, count, size)
        stages = run_stages(root, folder / "workspace")
        size_gb, seconds = gigabytes(find_arrays(root)), sum(stage.seconds for stage in stages)
        times = " | ".join(f"{stage.seconds:.1f}" for stage in stages)
        print(
            f"| {count:,} | {size} | {size_gb:.2f} | {times} | {seconds:.1f} | {seconds / size_gb:.1f} | "
            f"{most_memory(stages):.0f} |",
            flush=True,
        )
        shutil.rmtree(root)


def find_arrays(root: Path) -> list[Path]:
    return [*root.glob("l/*.npy"), *root.glob("ab/**/*.npy")]


def gigabytes(arrays: list[Path]) -> float:
    return sum(path.stat().st_size for path in arrays) / 1e9


def copy(arrays: list[Path], target: Path) -> Measurement:
    subprocess.run(["cat", *arrays], stdout=subprocess.DEVNULL, check=True)  # into the page cache
    target.mkdir()
    command = 'target=$1; shift; cp --reflink=never "$@" "$target" && sync "$target"/*'
    measurement = measure(["sh", "-c", command, "sh", target, *arrays], PROJECT)
    shutil.rmtree(target)
    return measurement


def run_stages(root: Path, workspace: Path) -> list[Measurement]:
    prepare(workspace, root)
    subprocess.run(["cat", *find_arrays(root)], stdout=subprocess.DEVNULL, check=True)
    stages = [measure([BIN / "python", "-m", f"stages.{stage}"], workspace) for stage in STAGES]
    shutil.rmtree(workspace)
    return stages


def most_memory(measurements: list[Measurement]) -> float:
    return max(m.private_megabytes for m in measurements)


def summarise(measurements: list[Measurement]) -> Measurement:
    """Median seconds, largest memory."""
    return Measurement(float(np.median([m.seconds for m in measurements])), most_memory(measurements))


if __name__ == "__main__":
    main()
