"""Train generator and discriminator: a checkpoint and a sample sheet of every epoch, and the best epoch as the model.

Finished epochs lie in a scratch folder, from which a training that was killed goes on; the outputs are put in place at
the end.
"""

import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from colorizer.checkpoints import generate_chroma, save_generator
from colorizer.devices import choose_device, make_repeatable
from colorizer.evaluation import Predict, evaluate_images
from colorizer.networks import Discriminator, Generator, check_halvings, most_halvings
from colorizer.normalization_file import read_normalization
from colorizer.progress import Progress
from colorizer.retention import perhaps_needed_epochs
from colorizer.scratch import Finished, Scratch, open_scratch
from colorizer.sheets import comparison_sheet, save_image
from colorizer.store import open_store
from colorizer.timing import log_epoch
from colorizer.training import make_adversaries, set_learning_rate, train_epoch, training_batches
from colorizer.training_state import load_state, save_state
from stages.decisions import Decisions
from stages.dvc_run import project_root, starter, stop_if_orphaned
from stages.entry import run_stage, say
from stages.facts import training_facts
from stages.params import Params, Train
from stages.publishing import publish, refuse_edits, take_up


def train(params: Params) -> None:
    dvc = starter()
    on_step = partial(stop_if_orphaned, dvc)
    options = params.train
    device = choose_device(options.device)
    make_repeatable(device)
    facts = training_facts(options, device)
    with open_scratch(project_root() / "scratch", facts, started_by=dvc, say=say) as scratch:
        finished, answers = take_up(scratch, options, facts)
        decisions = Decisions(scratch, options, answers, while_waiting=on_step)
        history = finished.history if finished else []
        try:
            if not decisions.is_complete(len(history)):
                history = train_epochs(scratch, options, decisions, facts, finished, on_step)
            refuse_edits(options, facts, device)
        finally:
            decisions.declare()
        publish(scratch, options, history, decisions)


def train_epochs(
    scratch: Scratch,
    options: Train,
    decisions: Decisions,
    facts: dict,
    finished: Finished | None,
    on_step: Callable[[], None],
) -> list[dict]:
    """Train the epochs that are missing, and keep each in the scratch folder; returns a row of history per epoch.

    `on_step` is called after every step and may end the training by raising.
    """
    device = torch.device(facts["environment"]["device"])
    store = open_store(Path("data/lab.npy"))
    normalization = read_normalization(Path("data/normalization.json"))
    images, validation = (pd.read_csv(f"data/split/{part}.csv")["image"].to_numpy() for part in ("train", "validation"))
    generator, discriminator = build_networks(options, image_shape=store.shape[1:3])
    adversaries = make_adversaries(
        generator,
        discriminator,
        learning_rate=options.learning_rate,
        betas=options.betas,
        keep_average=options.ema_decay > 0,
        device=device,
    )
    history = finished.history if finished else []
    if finished:
        load_state(finished.state, adversaries)
    predict = partial(generate_chroma, adversaries.average, normalization, device=device)
    candidates = validation if len(validation) else images
    shown = store[
        candidates[np.linspace(0, len(candidates) - 1, min(options.sheet_images, len(candidates))).astype(int)]
    ]

    with Progress("train", total=(options.epochs - len(history)) * len(images)) as progress:

        def on_batch(count: int, losses: dict[str, torch.Tensor]) -> None:
            on_step()
            progress.advance(count, lambda: show_losses(losses))

        while not decisions.stop_after(history, progress):
            started = time.monotonic()
            epoch = len(history) + 1
            progress.label = f"epoch {epoch}/{options.epochs}"
            learning_rate = decisions.learning_rate_at(epoch)
            set_learning_rate(adversaries, learning_rate)
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
                on_batch=on_batch,
            )
            seconds = time.monotonic() - started
            scores = validate(predict, store, validation, batch_size=options.batch_size, on_step=on_step)
            history.append(
                {"epoch": epoch, "learning_rate": learning_rate, **losses}
                | {f"validation_{name}": score for name, score in scores.items()}
            )
            save_generator(
                scratch.checkpoint(epoch),
                adversaries.average,
                normalization,
                image_shape=store.shape[1:3],
                epoch=epoch,
                scores=scores,
                facts=facts | decisions.facts_before(epoch),
            )
            save_image(comparison_sheet(shown, predict(shown[..., 0])), scratch.sample(epoch))
            needed = perhaps_needed_epochs(history, options.keep, options.choose, decisions.declined)
            files = scratch.relied_on(epoch, needed)
            save_state(scratch.state(epoch), adversaries, {"epoch": epoch, "history": history, "files": files})
            scratch.finish(epoch, files)
            log_epoch(Path("logs/train.csv"), epoch, len(images), seconds, device)
    return history


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


def validate(
    predict: Predict,
    store: NDArray[np.uint8],
    images: NDArray[np.int64],
    *,
    batch_size: int,
    on_step: Callable[[], None],
) -> dict[str, float]:
    """Scores on the validation images; none when there are no images."""
    if not len(images):
        return {}
    evaluation = evaluate_images(
        store, images, {"model": predict}, batch_size=batch_size, on_images=lambda count: on_step()
    )
    return evaluation.summary()["model"]


def show_losses(losses: dict[str, torch.Tensor]) -> str:
    """D and G are the two binary cross-entropies."""
    short = {"discriminator_loss": "D", "adversarial_loss": "G", "l1_loss": "L1"}
    return " ".join(f"{short[name]} {float(loss):.3f}" for name, loss in losses.items())


if __name__ == "__main__":
    run_stage(train)
