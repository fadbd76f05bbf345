"""Memory and time of the data stages, load to split, beside a plain copy of the same bytes. Linux only.

    .venv/bin/python -m benchmarks.data_stages                     # 25,000 stand-in images of 224 px, 3.8 GB
    .venv/bin/python -m benchmarks.data_stages --root ~/arrays     # your own l/ and ab/

Private memory is RssAnon + RssShmem summed over the process tree: pages of a memory-mapped file belong to the page
cache.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from colorizer.sample import make_sample

PROJECT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
STAGES = ("locate", "load", "concatenate", "normalize", "split")


@dataclass(frozen=True)
class Measurement:
    seconds: float
    private_megabytes: float


def measure(command: list[str | Path], folder: Path) -> Measurement:
    """Run a command and watch its process tree, twenty times a second."""
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    root, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        peak = max(peak, sum(private_kilobytes(child.pid) for child in [root, *root.children(recursive=True)]))
        time.sleep(0.05)
    if process.returncode:
        sys.exit(f"{command} failed")
    return Measurement(time.monotonic() - started, peak / 1024)


def private_kilobytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(size) for size in re.findall(r"Rss(?:Anon|Shmem):\s+(\d+) kB", status))


def write_stand_in(root: Path, count: int, size: int) -> None:
    """Raw arrays of `count` images: crops of the built-in sample's photographs, repeated."""
    crops, _ = make_sample(size=size, train=400, test=100, min_chroma=6.0, seed=0)
    sizes = {"l/gray_scale.npy": count, "ab/ab1.npy": count * 2 // 5, "ab/ab2.npy": count * 2 // 5}
    sizes["ab/ab3.npy"] = count - 2 * (count * 2 // 5)
    first = 0
    for name, images in sizes.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        tail, channels = ((), slice(0, 1)) if name.startswith("l/") else ((2,), slice(1, 3))
        array = np.lib.format.open_memmap(root / name, mode="w+", dtype=np.uint8, shape=(images, size, size, *tail))
        for image in range(images):
            array[image] = crops[(first + image) % len(crops)][..., channels].reshape(size, size, *tail)
        first += images if tail else 0


def prepare(workspace: Path, root: Path) -> None:
    """A clone of the last commit, set to these arrays."""
    subprocess.run(["git", "clone", "--quiet", PROJECT, workspace], check=True)
    params = (workspace / "params.yaml").read_text()
    count = len(np.load(root / "l/gray_scale.npy", mmap_mode="r"))
    (workspace / "params.yaml").write_text(
        re.sub(
            r"(?m)^(split:\n  train: )\d+(.*\n.*\n  test: )\d+", rf"\g<1>{count * 4 // 5}\g<2>{count // 5}", params
        ).replace("root: data/sample", f"root: {root}")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="raw arrays; made when left out")
    parser.add_argument("--images", type=int, default=25_000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="data-stages-", dir=PROJECT.parent) as folder:
        root = (options.root or Path(folder, "raw")).resolve()
        if not options.root:
            write_stand_in(root, options.images, options.size)
        arrays = [*root.glob("l/*.npy"), *root.glob("ab/**/*.npy")]
        size = sum(path.stat().st_size for path in arrays)
        print(
            f"{size / 1e9:.2f} GB of raw arrays, {options.runs} runs of each: median seconds, largest private memory\n"
        )
        copies, stages, repros = [], [], []
        for run in range(options.runs):
            subprocess.run(["cat", *arrays], stdout=subprocess.DEVNULL, check=True)  # into the page cache
            target, workspace = Path(folder, "copy"), Path(folder, f"workspace{run}")
            target.mkdir()
            copy = 'target=$1; shift; cp --reflink=never "$@" "$target" && sync "$target"/*'
            copies.append(measure(["sh", "-c", copy, "sh", target, *arrays], PROJECT))
            shutil.rmtree(target)
            prepare(workspace, root)
            stages.append([measure([BIN / "python", "-m", f"stages.{stage}"], workspace) for stage in STAGES])
            shutil.rmtree(workspace)
            prepare(workspace, root)
            repros.append(measure([BIN / "dvc", "repro", "normalize", "split"], workspace))
            nothing = measure([BIN / "dvc", "repro", "normalize", "split"], workspace)
            shutil.rmtree(workspace)
        report(copies, stages, repros, nothing)


def report(
    copies: list[Measurement], stages: list[list[Measurement]], repros: list[Measurement], nothing: Measurement
) -> None:
    copy = summarise(copies)
    print("| what | seconds | beside the copy | private MB |\n|---|---:|---:|---:|")
    rows = [("cp --reflink=never + sync", copy)]
    rows += [
        (f"python -m stages.{name}", summarise([run[index] for run in stages])) for index, name in enumerate(STAGES)
    ]
    total = [Measurement(sum(s.seconds for s in run), max(s.private_megabytes for s in run)) for run in stages]
    rows += [("the five stages", summarise(total)), ("dvc repro normalize split (with hashing)", summarise(repros))]
    rows += [("dvc repro with nothing to do", nothing)]
    for name, value in rows:
        print(f"| {name} | {value.seconds:.1f} | {value.seconds / copy.seconds:.2f} | {value.private_megabytes:.0f} |")


def summarise(measurements: list[Measurement]) -> Measurement:
    """Median seconds, largest memory."""
    return Measurement(
        float(np.median([m.seconds for m in measurements])), max(m.private_megabytes for m in measurements)
    )


if __name__ == "__main__":
    main()
