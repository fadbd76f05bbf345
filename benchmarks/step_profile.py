"""One training step, operator by operator: how often, how long, how many bytes.

    python -m benchmarks.step_profile presets/paper.yaml --size 224
    python -m benchmarks.step_profile presets/best.yaml --size 64 --kept-features
    python -m benchmarks.step_profile presets/paper.yaml --size 224 --against CHECKOUT

The images are crops of the built-in photographs. The bytes are those of every tensor that goes in or comes out. With
--kept-features a pretrained encoder's features are given, as stage encode keeps them. --against compares the seconds of
a step with those of another version of the code, in the folder CHECKOUT: each in a process of its own, in turn.
"""

import argparse
import os
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, fields
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ruamel.yaml import YAML
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.textbook import peak, read_codes, seconds_of
from colorizer.core.lab import Normalization
from colorizer.networks.devices import autocast, open_device
from colorizer.networks.pretrained_unet import PretrainedUNet
from colorizer.training.batches import Batch, TrainingBatches
from colorizer.training.distributed import SINGLE
from colorizer.training.gan import GAN, build_gan
from colorizer.training.recipe import Recipe

ROUNDS = 5


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
    if "hints" in recipe:  # which earlier versions of the code do not have
        from colorizer.core.hints import HintSampling

        recipe["hints"] = HintSampling(**options["hints"]) if options["generator"]["hints"] else None
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
    of_hints: dict[str, Any] = {"hints": gan.recipe.hints} if options["generator"].get("hints") else {}
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
        **of_hints,
    )
    batches = list(islice(reader, steps))
    if not kept_features:
        return batches
    assert isinstance(gan.generator, PretrainedUNet)
    with torch.no_grad(), autocast(gan.precision, gan.device):
        return [batch._replace(encoded=gan.generator.encode(batch.lightness).float()) for batch in batches]


def seconds_of_steps(gan: GAN, batches: list[Batch]) -> float:
    """The median."""
    return float(np.median([seconds_of(partial(gan.step, batch, adversarial=True)) for batch in batches]))


def compare(checkout: Path) -> None:
    """Run this command without --against for both versions, and let them step in turn."""
    given = [argument for argument in sys.argv[1:] if argument not in ("--against", str(checkout))]
    versions = {
        name: subprocess.Popen(
            [sys.executable, __file__, *given, "--in-turn"],
            env=os.environ | {"PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for name, folder in (("before", checkout.absolute()), ("after", Path.cwd()))
    }
    for process in versions.values():
        assert process.stdout
        process.stdout.readline()
    measured: list[list[float]] = []
    for _ in range(ROUNDS):
        measured.append([])
        for process in versions.values():
            assert process.stdin
            assert process.stdout
            process.stdin.write("go\n")
            process.stdin.flush()
            measured[-1].append(float(process.stdout.readline()))
    for process in versions.values():
        process.communicate()
    before, after = np.median(measured, axis=0)
    ratio = np.median([old / new for old, new in measured])
    print(
        f"before {before * 1e3:.0f} ms, after {after * 1e3:.0f} ms a step: {ratio:.2f} times as fast; "
        f"bf16 matrix product {peak(torch.bfloat16) / 1e9:.0f} GFLOP/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", type=Path)
    parser.add_argument("--size", type=int, required=True, help="of the images")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--kept-features", action="store_true")
    parser.add_argument("--rows", type=int, default=20, help="of the table")
    parser.add_argument("--against", type=Path)
    parser.add_argument("--in-turn", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.against:
        compare(arguments.against)
        return
    options = YAML(typ="safe").load(arguments.preset)["train"]
    gan = build(options, arguments.size)
    batches = read_batches(gan, options, arguments.size, arguments.steps, kept_features=arguments.kept_features)
    seconds_of_steps(gan, batches[:2])  # the first ones take longer
    if arguments.in_turn:
        print("ready", flush=True)
        for _ in sys.stdin:
            print(seconds_of_steps(gan, batches), flush=True)
        return
    step = seconds_of_steps(gan, batches)
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
