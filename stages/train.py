"""Train generator and discriminator, and keep a checkpoint and a sample sheet of every epoch."""

import math
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from colorizer.checkpoints import generate_chroma, save_generator
from colorizer.devices import choose_device
from colorizer.figures import comparison_sheet, save_image
from colorizer.files import replacing, write_csv
from colorizer.networks import Discriminator, Generator, check_halvings, most_halvings
from colorizer.normalization_file import read_normalization
from colorizer.progress import Progress
from colorizer.store import open_store
from colorizer.timing import log_epoch
from colorizer.training import LOSSES, make_adversaries, train_epoch, training_batches
from stages.entry import run_stage
from stages.params import Params, Train

CHECKPOINTS, MODEL = Path("models/checkpoints"), Path("models/generator.safetensors")
HISTORY, SHEETS = Path("reports/history.csv"), Path("reports/samples")


def train(params: Params) -> None:
    options = params.train
    device = choose_device(options.device)
    store = open_store(Path("data/lab.npy"))
    normalization = read_normalization(Path("data/normalization.json"))
    images = pd.read_csv("data/split/train.csv")["image"].to_numpy()
    generator, discriminator = build_networks(options, image_shape=store.shape[1:3])
    adversaries = make_adversaries(
        generator,
        discriminator,
        learning_rate=options.learning_rate,
        betas=options.betas,
        keep_average=options.ema_decay > 0,
        device=device,
    )
    shown = store[images[np.linspace(0, len(images) - 1, min(options.sheet_images, len(images))).astype(int)]]
    for folder in (CHECKPOINTS, SHEETS):
        shutil.rmtree(folder, ignore_errors=True)
    history: list[dict[str, float]] = []
    with Progress("train", total=options.epochs * len(images)) as progress:
        for epoch in range(1, options.epochs + 1):
            started = time.monotonic()
            progress.label = f"epoch {epoch}/{options.epochs}"
            losses = train_epoch(
                adversaries,
                training_batches(
                    store,
                    images,
                    normalization,
                    batch_size=options.batch_size,
                    flip=options.flip,
                    seed=options.seed,
                    epoch=epoch,
                    device=device,
                ),
                l1_weight=options.l1_weight,
                adversarial=epoch > options.l1_epochs,
                ema_decay=options.ema_decay,
                first_step=(epoch - 1) * math.ceil(len(images) / options.batch_size),
                on_batch=lambda count, losses: progress.advance(count, lambda: show_losses(losses)),
            )
            log_epoch(Path("logs/train.csv"), epoch, len(images), time.monotonic() - started, device)
            history.append({"epoch": epoch, "learning_rate": options.learning_rate, **losses})
            write_csv(HISTORY, pd.DataFrame(history, columns=["epoch", "learning_rate", *LOSSES]))
            save_generator(
                CHECKPOINTS / f"epoch-{epoch:04d}.safetensors", adversaries.average, normalization, epoch=epoch
            )
            sheet = comparison_sheet(shown, generate_chroma(adversaries.average, normalization, shown[..., 0], device))
            save_image(sheet, SHEETS / f"epoch-{epoch:04d}.png")
    with replacing(MODEL) as partial:
        shutil.copyfile(CHECKPOINTS / f"epoch-{options.epochs:04d}.safetensors", partial)


def build_networks(options: Train, *, image_shape: tuple[int, int]) -> tuple[Generator, Discriminator]:
    """Both networks with their initial weights, which the seed alone decides."""
    size = min(image_shape)
    halvings = most_halvings(size) if options.generator.halvings == "auto" else options.generator.halvings
    check_halvings(halvings, size, "train.generator.halvings")
    check_halvings(options.discriminator.halvings, size, "train.discriminator.halvings")
    torch.manual_seed(options.seed)
    generator = Generator(width=options.generator.width, halvings=halvings, upsampling=options.generator.upsampling)
    discriminator = Discriminator(**options.discriminator.model_dump(), image_shape=image_shape)
    return generator, discriminator


def show_losses(losses: dict[str, torch.Tensor]) -> str:
    """D and G are the two binary cross-entropies."""
    short = {"discriminator_loss": "D", "adversarial_loss": "G", "l1_loss": "L1"}
    return " ".join(f"{short[name]} {float(loss):.3f}" for name, loss in losses.items())


if __name__ == "__main__":
    run_stage(train)
