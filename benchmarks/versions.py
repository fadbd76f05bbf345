"""What versions cost at full size: a no-op `dvc repro`, going to another version, an epoch's checkpoint. Linux only.

    python -m benchmarks.versions            # 25,000 stand-in images of 224 px; 20 GB of disk

The recipe of presets/paper.yaml, but for two epochs of 32 images: what is measured does not depend on how many train.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.data_stages import BIN, PROJECT, write_stand_in
from colorizer.core.lab import Normalization
from colorizer.networks.checkpoints import save_generator
from colorizer.networks.discriminator import Discriminator
from colorizer.networks.layers import max_num_downs
from colorizer.networks.unet import UNet
from colorizer.training.batches import to_batch
from colorizer.training.gan import GAN
from colorizer.training.recipe import Recipe
from colorizer.training.training_state import load_state, save_state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=25_000)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    print("| what | seconds | MB of disk |\n|---|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory(prefix="versions-", dir=PROJECT.parent) as folder:
        measure_checkpoints(Path(folder), options.size)
        measure_versions(Path(folder, "workspace"), options.images, options.size)


def measure_checkpoints(folder: Path, size: int) -> None:
    """One epoch's files of the paper recipe, written and read by themselves."""
    gan = GAN(
        UNet(width=64, num_downs=max_num_downs(size), upsampling="transposed"),
        Discriminator(width=64, num_downs=4, conditional=False, output="image", image_shape=(size, size)),
        Recipe(learning_rate=2e-4, betas=(0.5, 0.999), l1_weight=1.0),
        device=torch.device("cpu"),
    )
    batch = to_batch(np.zeros((2, size, size, 3), np.uint8), Normalization(), torch.device("cpu"))
    gan.step(batch, adversarial=True)
    checkpoint, state = folder / "checkpoint", folder / "state"
    started = time.monotonic()
    save_generator(
        checkpoint,
        gan.generator,
        Normalization(),
        image_shape=(size, size),
        epoch=1,
        scores={},
        facts={},
        discriminator=gan.discriminator,
        learnt_from=np.arange(20_000, dtype=np.uint64),
    )
    report("write one epoch's checkpoint", started, checkpoint)
    started = time.monotonic()
    save_state(state, gan, {})
    report("write the state to go on from (the newest two are kept)", started, state)
    started = time.monotonic()
    load_state(state, gan)
    report("check and load that state", started)


def measure_versions(workspace: Path, images: int, size: int) -> None:
    """Two versions, of other pixels and another model, made and gone to and fro between."""
    run("git", "clone", "--quiet", PROJECT, workspace, folder=PROJECT)
    params = (PROJECT / "presets/paper.yaml").read_text(encoding="utf-8")
    for pattern, replacement in (
        (r"^split:\n  train: \d+", "split:\n  train: 32"),
        (r"^  test: 5000", "  test: 16"),
        (r"^  epochs: \d+", "  epochs: 2"),
        (r"^  keep: every 10", "  keep: all"),
    ):
        params, count = re.subn(pattern, replacement, params, flags=re.MULTILINE)
        assert count == 1, pattern
    (workspace / "params.yaml").write_text(params, encoding="utf-8")
    write_stand_in(workspace / "data", images, size)
    for name in ("first", "second"):
        run(BIN / "dvc", "add", "--quiet", "data/l", "data/ab", folder=workspace)
        run(BIN / "dvc", "repro", "--quiet", folder=workspace)
        run("git", "add", "--all", folder=workspace)
        run(
            "git", "-c", "user.name=x", "-c", "user.email=x", "commit", "--quiet", f"--message={name}", folder=workspace
        )
        run("git", "tag", name, folder=workspace)
        if name == "first":
            timed("dvc repro with nothing to do", BIN / "dvc", "repro", folder=workspace)
            change_one_image(workspace / "data/l/gray_scale.npy")
            params = params.replace("learning_rate: 0.0002", "learning_rate: 0.0003")
            (workspace / "params.yaml").write_text(params, encoding="utf-8")
    used = disk(workspace)
    for name in ("first", "second"):
        run("git", "checkout", "--quiet", name, folder=workspace)
        timed(f"dvc checkout of the {name} version", BIN / "dvc", "checkout", "--quiet", folder=workspace)
    timed("dvc repro after that", BIN / "dvc", "repro", folder=workspace)
    one = "models/checkpoints/epoch-0001.safetensors"
    timed("dvc get of one epoch of the other", BIN / "dvc", "get", ".", one, "--rev", "first", folder=workspace)
    print(f"\nBoth versions on disk, raw arrays and scratch included: {used / 1e9:.1f} GB")


def change_one_image(path: Path) -> None:
    """Put a changed copy in the place of a file that may be a hard link into DVC's cache."""
    copy = path.with_suffix(".copy")
    shutil.copyfile(path, copy)
    np.load(copy, mmap_mode="r+")[0] //= 2
    copy.replace(path)


def disk(folder: Path) -> int:
    """Bytes below a folder, hard links counted once."""
    files = {(s.st_dev, s.st_ino): s.st_size for s in (path.lstat() for path in folder.rglob("*") if path.is_file())}
    return sum(files.values())


def timed(what: str, *command: str | Path, folder: Path) -> None:
    before, started = disk(folder), time.monotonic()
    run(*command, folder=folder)
    seconds = time.monotonic() - started
    print(f"| {what} | {seconds:.1f} | {(disk(folder) - before) / 1e6:.0f} |", flush=True)


def report(what: str, started: float, path: Path | None = None) -> None:
    seconds = time.monotonic() - started
    print(f"| {what} | {seconds:.1f} | {path.stat().st_size / 1e6 if path else 0:.0f} |", flush=True)


def run(*command: str | Path, folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
    if result.returncode:
        sys.exit(f"{command} failed:\n{result.stdout}")


if __name__ == "__main__":
    main()
