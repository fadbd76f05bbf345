"""A training step on a frozen pretrained encoder: its features computed in every step, and kept from before.

    python -m benchmarks.pretrained_encoder presets/sample.yaml --size 64
    python -m benchmarks.pretrained_encoder presets/best224.yaml --size 224 --steps 2 --rounds 2

The images are crops of the built-in photographs. All rows run in turn, round after round; one round warms up.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from ruamel.yaml import YAML

from benchmarks.textbook import CPU, read_codes
from colorizer.core.lab import Normalization
from colorizer.networks.devices import choose_precision
from colorizer.networks.encoded_images import encode_images
from colorizer.networks.pretrained_unet import PretrainedUNet
from colorizer.training.batches import TrainingBatches
from colorizer.training.distributed import SINGLE
from colorizer.training.gan import GAN, build_gan
from colorizer.training.recipe import Recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", type=Path)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    options = YAML(typ="safe").load(arguments.preset)["train"]
    codes = read_codes(None, options["batch_size"] * arguments.steps, arguments.size)
    precision = choose_precision("auto", CPU)
    recipe = Recipe(**{field.name: options[field.name] for field in fields(Recipe) if field.name != "hints"})
    gan = build_gan(
        options["generator"],
        options["discriminator"],
        recipe,
        image_shape=codes.shape[1:3],
        device=CPU,
        precision=precision,
        group=SINGLE,
    )
    if not isinstance(gan.generator, PretrainedUNet):
        sys.exit(f"{arguments.preset} has no pretrained encoder: take presets/sample.yaml or presets/best224.yaml")
    encode = partial(
        encode_images,
        gan.generator,
        codes,
        np.arange(len(codes)),
        Normalization(),
        flip=False,
        device=CPU,
        precision=precision,
        on_images=lambda count: None,
    )
    encoded = np.concatenate(list(encode()))
    work: dict[str, Callable[[], object]] = {"stage encode": lambda: list(encode())}
    for adversarial, losses in ((False, "L1 alone"), (True, "all losses")):
        for kept, how in ((None, "computed"), (encoded, "kept")):
            work[f"{losses}, features {how}"] = partial(train, gan, codes, kept, adversarial)
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(arguments.rounds + 1):
        for name, run in work.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    print(f"{precision}, {torch.get_num_threads()} threads; features: {encoded[0].nbytes / 1000:.0f} kB an image")
    print("| | images/s |\n|---|---:|")
    for name, measured in seconds.items():
        print(f"| {name} | {len(codes) / np.median(measured[1:]):.0f} |")


def train(gan: GAN, codes: NDArray[np.uint8], encoded: NDArray[np.float16] | None, adversarial: bool) -> None:
    """One epoch."""
    batches = TrainingBatches(
        codes,
        np.arange(len(codes)),
        Normalization(),
        batch_size=gan.recipe.batch_size,
        flip=False,
        seed=0,
        epoch=1,
        device=CPU,
        encoded=encoded,
    )
    gan.fit(batches, learning_rate=gan.recipe.learning_rate, adversarial=adversarial, first_step=0)


if __name__ == "__main__":
    main()
