"""Our training step beside the recipe as a student writes it: same networks, same images, same order, in turn.

    python -m benchmarks.textbook presets/photos64.yaml --size 64
    python -m benchmarks.textbook presets/paper.yaml --size 224 --losses 0 --steps 3 --images 64  # 5 minutes

The images are crops of the built-in photographs, or those of --root. First both train from the same weights, and
their losses are compared; then every recipe trains some steps in turn, round after round.
"""

import argparse
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from ruamel.yaml import YAML
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from colorizer.core.lab import Normalization
from colorizer.core.store import interleave
from colorizer.data.raw import open_raw
from colorizer.data.sample import make_sample
from colorizer.networks.devices import Precision, choose_precision
from colorizer.networks.discriminator import Discriminator
from colorizer.networks.layers import max_num_downs
from colorizer.networks.unet import UNet
from colorizer.training.batches import Batch, TrainingBatches
from colorizer.training.gan import GAN
from colorizer.training.recipe import Recipe

CPU = torch.device("cpu")
Losses = tuple[float, float, float]  # of the discriminator, adversarial, L1


class Textbook:
    """The recipe without a thought for speed: the whole set as floats in memory, plain modules, plain Adam."""

    def __init__(self, codes: NDArray[np.uint8], options: dict, dtype: torch.dtype = torch.float32) -> None:
        images = codes.transpose(0, 3, 1, 2).astype(np.float64)
        lightness, chroma = (
            (images[:, :1] / 127.5 - 1).astype(np.float32),
            ((images[:, 1:] - 128) / 128).astype(np.float32),
        )
        self.dataset = TensorDataset(torch.from_numpy(lightness).to(dtype), torch.from_numpy(chroma).to(dtype))
        self.options = options
        self.generator, self.discriminator = (network.to(dtype) for network in networks(options, codes.shape[1]))
        rates = {"lr": options["learning_rate"], "betas": tuple(options["betas"])}
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), **rates)
        self.discriminator_optimizer = torch.optim.Adam(self.discriminator.parameters(), **rates)

    def steps(self) -> Iterator[Losses]:
        cross_entropy, absolute = nn.BCELoss(), nn.L1Loss()
        for epoch in count(1):
            order = np.random.Generator(np.random.Philox(key=[self.options["seed"], epoch])).permutation(
                len(self.dataset)
            )
            for lightness, chroma in DataLoader(
                self.dataset, batch_size=self.options["batch_size"], sampler=order.tolist(), drop_last=True
            ):
                generated = self.generator(lightness)

                self.discriminator_optimizer.zero_grad()
                real = torch.sigmoid(self.discriminator(lightness, chroma))
                fake = torch.sigmoid(self.discriminator(lightness, generated.detach()))
                discriminator_loss = cross_entropy(real, torch.ones_like(real)) + cross_entropy(
                    fake, torch.zeros_like(fake)
                )
                discriminator_loss.backward()
                self.discriminator_optimizer.step()

                self.generator_optimizer.zero_grad()
                judged = torch.sigmoid(self.discriminator(lightness, generated))
                adversarial, l1 = cross_entropy(judged, torch.ones_like(judged)), absolute(generated, chroma)
                (adversarial + self.options["l1_weight"] * l1).backward()
                self.generator_optimizer.step()
                yield discriminator_loss.item(), adversarial.item(), l1.item()


class Ours:
    """The training step and the batches of the train stage."""

    def __init__(
        self, codes: NDArray[np.uint8], options: dict, precision: Precision, dtype: torch.dtype = torch.float32
    ) -> None:
        self.codes, self.options, self.dtype = codes, options, dtype
        generator, discriminator = networks(options, codes.shape[1])
        self.gan = GAN(generator.to(dtype), discriminator.to(dtype), recipe(options), device=CPU, precision=precision)
        self.seconds_waited = 0.0

    def steps(self) -> Iterator[Losses]:
        whole = len(self.codes) // self.options["batch_size"]  # the last batch, which is smaller, is left out
        for epoch in count(1):
            batches = TrainingBatches(
                self.codes,
                np.arange(len(self.codes)),
                Normalization(),
                batch_size=self.options["batch_size"],
                flip=False,
                seed=self.options["seed"],
                epoch=epoch,
                device=CPU,
            )
            for _, batch in zip(range(whole), batches, strict=False):
                waited = batches.seconds_waited
                batch = Batch(batch.lightness.to(self.dtype), batch.chroma.to(self.dtype), batch.num_images)
                losses = self.gan.step(batch, adversarial=True)
                yield (
                    losses["discriminator_loss"].item(),
                    losses["adversarial_loss"].item(),
                    losses["l1_loss"].item(),
                )
                self.seconds_waited += batches.seconds_waited - waited


def recipe(options: dict) -> Recipe:
    betas = options["betas"]
    return Recipe(learning_rate=options["learning_rate"], betas=(betas[0], betas[1]), l1_weight=options["l1_weight"])


def networks(options: dict, size: int) -> tuple[UNet, Discriminator]:
    torch.manual_seed(options["seed"])
    arguments = {name: options["generator"][name] for name in ("width", "num_downs", "upsampling", "resolution")}
    if arguments["num_downs"] == "auto":
        arguments["num_downs"] = max_num_downs(size)
    generator = UNet(**arguments)
    return generator, Discriminator(**options["discriminator"], image_shape=(size, size))


def operations_per_image(options: dict, size: int) -> float:
    """Multiplications and additions of convolutions that the recipe needs for one image.

    Each pass forward has two passes back, to the inputs and to the weights. The discriminator goes forward three times
    (real, fake, fake again for the generator) and back to its inputs each time, but to its weights twice.
    """
    generator, discriminator = networks(options, size)
    lightness, chroma = torch.zeros(2, 1, size, size), torch.zeros(2, 2, size, size)
    with torch.no_grad(), FlopCounterMode(display=False) as of_generator:
        generator(lightness)
    with torch.no_grad(), FlopCounterMode(display=False) as of_discriminator:
        discriminator(lightness, chroma)
    return (3 * of_generator.get_total_flops() + 8 * of_discriminator.get_total_flops()) / len(lightness)


def peak(dtype: torch.dtype, size: int = 2048, runs: int = 15) -> float:
    """Operations a second of a large matrix product, the median."""
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    return 2 * size**3 / float(np.median([seconds_of(lambda: a @ b) for _ in range(runs)][2:]))


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def read_codes(root: Path | None, images: int, size: int) -> NDArray[np.uint8]:
    if root is None:
        return make_sample(size=size, train=images, test=8, min_chroma=0.0, seed=0)[0][:images]
    return interleave(*open_raw(root).spread())[:images]


def compare_losses(codes: NDArray[np.uint8], options: dict, steps: int) -> None:
    """The same mathematics? In float64 the losses say so; in float32 rounding alone sends a training another way."""

    def losses(recipe: Textbook | Ours) -> NDArray[np.float64]:
        return np.array([step for step, _ in zip(recipe.steps(), range(steps), strict=False)])

    def report(what: str, one: NDArray[np.float64], other: NDArray[np.float64]) -> None:
        print(f"| {what} |" + "".join(f" {largest:.0e} |" for largest in np.abs(one - other).max(axis=0)))

    print(f"\n| losses of {steps} steps, largest difference | discriminator | adversarial | L1 |\n|---|---:|---:|---:|")
    double = losses(Textbook(codes, options, torch.float64))
    report("textbook and ours, float64", double, losses(Ours(codes, options, "fp32", torch.float64)))
    single = losses(Textbook(codes, options))
    report("textbook and ours, fp32", single, losses(Ours(codes, options, "fp32")))
    report("textbook in fp32 and ours in bf16", single, losses(Ours(codes, options, "bf16")))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    report(f"textbook with {threads} threads and with 1, fp32", single, losses(Textbook(codes, options)))
    torch.set_num_threads(threads)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", type=Path)
    parser.add_argument("--size", type=int, required=True, help="of the images; ignored with --root")
    parser.add_argument("--root", type=Path, help="raw arrays in place of the built-in photographs")
    parser.add_argument("--images", type=int, default=320)
    parser.add_argument("--steps", type=int, default=20, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--losses", type=int, default=50, help="steps to compare")
    arguments = parser.parse_args()
    options = YAML(typ="safe").load(arguments.preset)["train"]
    codes = read_codes(arguments.root, arguments.images, arguments.size)
    print(f"{arguments.preset.stem}, {len(codes)} images of {codes.shape[1]} px, {torch.get_num_threads()} threads")
    if arguments.losses:
        compare_losses(codes, options, arguments.losses)

    ours: dict[str, Ours] = {"ours, fp32": Ours(codes, options, "fp32")}
    if choose_precision("auto", CPU) == "bf16":
        ours["ours, bf16"] = Ours(codes, options, "bf16")
    running = {"textbook, fp32": Textbook(codes, options).steps()} | {name: own.steps() for name, own in ours.items()}
    for recipe in running.values():
        for _ in range(2):
            next(recipe)
    for own in ours.values():
        own.seconds_waited = 0
    times: dict[str, list[float]] = {name: [] for name in running}
    peaks: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    for _ in range(arguments.rounds):
        for name, recipe in running.items():
            times[name].append(seconds_of(partial(deque, islice(recipe, arguments.steps), maxlen=0)))
        for dtype, measured in peaks.items():
            measured.append(peak(dtype))

    operations = operations_per_image(options, codes.shape[1])
    best = {dtype: float(np.median(measured)) for dtype, measured in peaks.items()}
    print(
        f"{operations / 1e9:.1f} GFLOP an image; matrix products: fp32 {best[torch.float32] / 1e9:.0f}, "
        f"bf16 {best[torch.bfloat16] / 1e9:.0f} GFLOP/s\n"
    )
    print("| recipe | images/s | beside the textbook | share of the bf16 peak | waiting for data |")
    print("|---|---:|---:|---:|---:|")
    for name, taken in times.items():
        rate = arguments.steps * options["batch_size"] / float(np.median(taken))
        ratio = float(np.median(np.array(times["textbook, fp32"]) / np.array(taken)))
        waited = f"{ours[name].seconds_waited / sum(taken):.2%}" if name in ours else ""
        share = rate * operations / best[torch.bfloat16]
        print(f"| {name} | {rate:.1f} | {ratio:.2f} | {share:.2f} | {waited} |")


if __name__ == "__main__":
    main()
