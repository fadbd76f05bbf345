"""One training step, operator by operator: how often, how long, how many bytes.

    python -m benchmarks.step_profile presets/paper.yaml --size 224
    python -m benchmarks.step_profile presets/best.yaml --size 64 --kept-features

The images are crops of the built-in photographs. The bytes are those of every tensor that goes in or comes out. With
--kept-features a pretrained encoder's features are given, as stage encode keeps them.
"""

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ruamel.yaml import YAML
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.textbook import peak, read_codes
from colorizer.core.lab import Normalization
from colorizer.networks.devices import autocast, open_device
from colorizer.networks.pretrained_unet import PretrainedUNet
from colorizer.training.batches import Batch, TrainingBatches
from colorizer.training.distributed import SINGLE
from colorizer.training.gan import GAN, build_gan
from colorizer.training.recipe import Recipe


@dataclass
class Total:
    """Of one operator: calls, seconds and bytes of all steps."""

    calls: int = 0
    seconds: float = 0.0
    bytes: int = 0


class Profile(TorchDispatchMode):
    """Times every operator on the CPU, where each ends before the next begins."""

    def __init__(self) -> None:
        super().__init__()
        self.totals: dict[str, Total] = defaultdict(Total)

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        started = time.perf_counter()
        result = operator(*args, **(kwargs or {}))
        seconds = time.perf_counter() - started
        total = self.totals[operator.overloadpacket.__name__]
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
        total.calls += 1
        total.seconds += seconds
        total.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return result


def build(options: dict, size: int) -> GAN:
    device, precision = open_device("cpu", options["precision"])
    recipe = {field.name: options[field.name] for field in fields(Recipe)}
    gan = build_gan(
        options["generator"],
        options["discriminator"],
        Recipe(**recipe | {"betas": tuple(options["betas"])}),
        image_shape=(size, size),
        device=device,
        precision=precision,
        group=SINGLE,
    )
    gan.generator.train()
    gan.discriminator.train()
    return gan


def read_batches(gan: GAN, options: dict, size: int, steps: int, *, kept_features: bool) -> list[Batch]:
    batch_size = options["batch_size"]
    codes = read_codes(None, steps * batch_size, size)
    reader = TrainingBatches(
        codes,
        np.arange(len(codes)),
        Normalization(),
        batch_size=batch_size,
        flip=False,
        seed=0,
        epoch=1,
        device=gan.device,
    )
    batches = list(islice(reader, steps))
    if not kept_features:
        return batches
    assert isinstance(gan.generator, PretrainedUNet)
    with torch.no_grad(), autocast(gan.precision, gan.device):
        return [batch._replace(encoded=gan.generator.encode(batch.lightness).float()) for batch in batches]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", type=Path)
    parser.add_argument("--size", type=int, required=True, help="of the images")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--kept-features", action="store_true")
    parser.add_argument("--rows", type=int, default=20, help="of the table")
    arguments = parser.parse_args()
    options = YAML(typ="safe").load(arguments.preset)["train"]
    gan = build(options, arguments.size)
    batches = read_batches(gan, options, arguments.size, arguments.steps, kept_features=arguments.kept_features)
    seconds = []
    for batch in [batches[0], *batches]:
        started = time.perf_counter()
        gan.step(batch, adversarial=True)
        seconds.append(time.perf_counter() - started)
    step = float(np.median(seconds[1:]))
    with Profile() as profile:
        for batch in batches:
            gan.step(batch, adversarial=True)

    print(
        f"{arguments.preset.stem}, {arguments.size} px, {gan.precision}, {torch.get_num_threads()} threads: "
        f"{step * 1e3:.0f} ms a step, {options['batch_size'] / step:.1f} images/s; "
        f"bf16 matrix product {peak(torch.bfloat16) / 1e9:.0f} GFLOP/s\n"
    )
    print("| operator | calls | ms | share | MB | GB/s |\n|---|---:|---:|---:|---:|---:|")
    whole = sum(total.seconds for total in profile.totals.values())
    for name, total in sorted(profile.totals.items(), key=lambda item: -item[1].seconds)[: arguments.rows]:
        print(
            f"| {name} | {total.calls / arguments.steps:.0f} | {total.seconds / arguments.steps * 1e3:.1f} | "
            f"{total.seconds / whole:.1%} | {total.bytes / arguments.steps / 1e6:.0f} | "
            f"{total.bytes / total.seconds / 1e9:.1f} |"
        )


if __name__ == "__main__":
    main()
