"""Two processes of one thread each beside one process of one thread: the same training, batch for batch.

python -m benchmarks.scaling presets/paper.yaml --size 224 --images 128     # 4 minutes
python -m benchmarks.scaling presets/photos64.yaml --size 64 --images 640
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from ruamel.yaml import YAML

from benchmarks.textbook import CPU, networks, read_codes, recipe
from colorizer.core.lab import Normalization
from colorizer.networks.devices import choose_precision
from colorizer.training.batches import TrainingBatches
from colorizer.training.distributed import ProcessGroup, launch, process_group
from colorizer.training.gan import GAN

WARM_UP = 2  # steps


def train_in_group(options: dict, size: int, images: int) -> tuple[float, dict[str, float]]:
    """Train as a rank of a group, or alone."""
    torch.set_num_threads(1)
    with process_group(CPU) as group:
        return train(group, options, size, images)


def train(group: ProcessGroup, options: dict, size: int, images: int) -> tuple[float, dict[str, float]]:
    """One epoch; its images a second after the warm-up, and its losses."""
    codes = read_codes(None, 96, size)
    codes = np.tile(codes, (-(-images // len(codes)), 1, 1, 1))[:images]
    generator, discriminator = networks(options, size)
    gan = GAN(
        generator,
        discriminator,
        recipe(options),
        device=CPU,
        precision=choose_precision("auto", CPU),
        group=group,
    )
    times = []
    losses = gan.fit(
        TrainingBatches(
            codes,
            np.arange(images),
            Normalization(),
            batch_size=options["batch_size"],
            flip=False,
            seed=0,
            epoch=1,
            device=CPU,
            group=group,
        ),
        learning_rate=options["learning_rate"],
        adversarial=True,
        first_step=0,
        on_batch=lambda *_: times.append(time.perf_counter()),
    )
    steps = len(times) - WARM_UP
    return steps * options["batch_size"] / (times[-1] - times[WARM_UP - 1]), losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", type=Path)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--images", type=int, required=True, help="of the epoch; a multiple of the batch size")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    options = YAML(typ="safe").load(arguments.preset)["train"]
    work = (options, arguments.size, arguments.images)
    rates: dict[int, list[float]] = {1: [], 2: []}
    last: dict[int, dict[str, float]] = {}
    for _ in range(arguments.rounds):
        for count, measured in rates.items():
            rate, last[count] = launch(count, train_in_group, *work)[0]
            measured.append(rate)
    efficiency = np.median(np.array(rates[2]) / np.array(rates[1])) / 2
    print("| processes of one thread | images/s | efficiency | losses |\n|---|---:|---:|---|")
    for count, measured in rates.items():
        losses = ", ".join(f"{name.removesuffix('_loss')} {loss:.5f}" for name, loss in last[count].items())
        print(f"| {count} | {np.median(measured):.2f} | {efficiency if count == 2 else 1:.2f} | {losses} |")


if __name__ == "__main__":
    main()
