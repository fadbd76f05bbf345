"""Train generator and discriminator: a checkpoint and a sample sheet of every epoch, and the best epoch as the model.

Finished epochs lie in a scratch folder, from which a training that was killed goes on; the outputs are put in place at
the end.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from colorizer.core.errors import UserError
from colorizer.core.files import save_image
from colorizer.core.lab import Predict
from colorizer.core.progress import Progress
from colorizer.networks.checkpoints import generate_chroma, save_generator
from colorizer.networks.devices import choose_device, choose_precision, make_repeatable
from colorizer.scoring.evaluation import evaluate_images
from colorizer.scoring.sheets import comparison_sheet
from colorizer.training.diagnostics import symptoms
from colorizer.training.distributed import share_threads, started_by_torchrun, together
from colorizer.training.epoch_log import log_epoch
from colorizer.training.gan import DivergedError, decayed
from colorizer.training.retention import perhaps_needed_epochs
from colorizer.training.scratch import Finished, Scratch, open_scratch
from colorizer.training.training_state import save_state
from settings.params import Params, Train
from stages.entry import run_stage, say
from stages.train.decisions import Decisions
from stages.train.dvc_run import project_root, starter, stop_if_orphaned
from stages.train.provenance import training_facts
from stages.train.publishing import publish, refuse_edits, take_up
from stages.train.trainer import Trainer, assist


def train(params: Params) -> None:
    options = params.train
    device = choose_device(options.device)
    check_processes(options.devices, device)
    if started_by_torchrun() and os.environ["RANK"] != "0":
        with together(options.devices, device, assist, (), say) as processes:
            assist(processes, options, device)
        return
    dvc = starter()
    on_step = partial(stop_if_orphaned, dvc)
    make_repeatable(device)
    share_threads(options.devices)
    facts = training_facts(options, device)
    check_batches(options)
    with open_scratch(project_root() / "scratch", facts, started_by=dvc, say=say) as scratch:
        finished, answers = take_up(scratch, options, facts)
        decisions = Decisions(scratch, options, answers, while_waiting=on_step)
        history = finished.history if finished else []
        try:
            complete = decisions.is_complete(len(history))
            if started_by_torchrun() or not complete:  # processes of torchrun wait for a word in any case
                with together(options.devices, device, assist, (options, device), say) as processes:
                    precision = choose_precision(options.precision, device)
                    processes.agree(None if complete else precision)
                    if not complete:
                        trainer = Trainer(options, device, precision, processes)
                        history = train_epochs(trainer, scratch, decisions, facts, finished, on_step)
            refuse_edits(options, facts, device)
        finally:
            decisions.declare()
        publish(scratch, options, history, decisions)


def train_epochs(
    trainer: Trainer,
    scratch: Scratch,
    decisions: Decisions,
    facts: dict,
    finished: Finished | None,
    on_step: Callable[[], None],
) -> list[dict]:
    """Train the epochs that are missing, and keep each in the scratch folder; returns a row of history per epoch.

    `on_step` is called after every step and may end the training by raising.
    """
    options, adversaries, store = trainer.options, trainer.adversaries, trainer.store
    images, validation = trainer.images, pd.read_csv("data/split/validation.csv")["image"].to_numpy()
    history = finished.history if finished else []
    trainer.load(finished.state if finished else None)
    predict = partial(
        generate_chroma,
        adversaries.average,
        trainer.normalization,
        device=trainer.device,
        precision=adversaries.precision,
    )
    candidates = validation if len(validation) else images
    on_sheet = candidates[np.linspace(0, len(candidates) - 1, min(options.sheet_images, len(candidates))).astype(int)]
    shown = store[on_sheet]
    scored = validation if len(validation) else on_sheet  # without validation images, for warnings alone

    with Progress("train", total=(options.epochs - len(history)) * len(images)) as progress:
        started, waited = 0.0, 0.0

        def on_batch(count: int, losses: dict[str, torch.Tensor], seconds_waited: float) -> None:
            nonlocal waited
            on_step()
            waited = seconds_waited
            share = waited / (time.monotonic() - started)
            progress.advance(count, lambda: f"{show_losses(losses)}, data {share:.1%}")

        while not decisions.stop_after(history, progress):
            started = time.monotonic()
            epoch = len(history) + 1
            progress.label = f"epoch {epoch}/{options.epochs}"
            learning_rate = decayed(
                decisions.learning_rate_at(epoch),
                epoch,
                epochs=options.epochs,
                decay_epochs=options.decay_epochs,
            )
            trainer.processes.agree((epoch, learning_rate))
            try:
                losses = trainer.train_epoch(epoch, learning_rate, on_batch)
                seconds = time.monotonic() - started
                summary = validate(predict, store, scored, batch_size=options.batch_size, on_step=on_step)
            except DivergedError as error:
                raise UserError(f"epoch {epoch}: {error}; {decisions.after_divergence(epoch)}") from error
            scores = summary["model"] if len(validation) else {}
            warnings = symptoms(losses, summary["model"], summary["truth"])
            history.append(
                {"epoch": epoch, "learning_rate": learning_rate, **losses, "warnings": "; ".join(warnings)}
                | {f"validation_{name}": value for name, value in scores.items()}
            )
            save_generator(
                scratch.checkpoint(epoch),
                adversaries.average,
                trainer.normalization,
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
            if epoch > options.l1_epochs:  # L1 alone is dull by nature
                with progress.paused():
                    for warning in warnings:
                        say(f"warning: epoch {epoch}: {warning}")
            log_epoch(
                Path("logs/train.csv"),
                {
                    "epoch": epoch,
                    "seconds": f"{seconds:.2f}",
                    "seconds_waiting_for_data": f"{waited:.2f}",
                    "images_per_second": f"{len(images) / seconds:.2f}",
                }
                | facts["environment"],
            )
    trainer.processes.agree(None)
    return history


def check_processes(devices: int, device: torch.device) -> None:
    """Raise UserError when train.devices is not what can be had or was started."""
    started = int(os.environ["WORLD_SIZE"]) if started_by_torchrun() else devices
    if devices != started:
        raise UserError(f"train.devices is {devices}, but torchrun started {started} processes: set it to {started}")
    here, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", devices)), torch.cuda.device_count()
    if device.type == "cuda" and here > gpus:
        raise UserError(f"{here} processes on this machine want a GPU each, but PyTorch finds {gpus}: start fewer")


def check_batches(options: Train) -> None:
    """Raise UserError when there are batches of which some process would get no image."""
    smallest = len(pd.read_csv("data/split/train.csv")) % options.batch_size or options.batch_size
    if smallest < options.devices:
        raise UserError(
            f"train.devices is {options.devices}, but the last batch of an epoch holds {smallest} images only: "
            "change train.batch_size or split.train"
        )


def validate(
    predict: Predict,
    store: NDArray[np.uint8],
    images: NDArray[np.int64],
    *,
    batch_size: int,
    on_step: Callable[[], None],
) -> dict[str, dict[str, float]]:
    """Scores of the `model` and the `truth` on images of the store; DivergedError when the output is not finite."""

    def predict_finite(lightness: NDArray[np.uint8]) -> NDArray[np.float32]:
        chroma = predict(lightness)
        if not np.isfinite(chroma).all():
            raise DivergedError("training diverged: the output is not finite")
        return chroma

    evaluation = evaluate_images(
        store, images, {"model": predict_finite}, batch_size=batch_size, on_images=lambda count: on_step()
    )
    return evaluation.summary()


def show_losses(losses: dict[str, torch.Tensor]) -> str:
    """Of this process's part of the batch; D and G are the two binary cross-entropies."""
    short = {"discriminator_loss": "D", "adversarial_loss": "G", "l1_loss": "L1", "colour_loss": "colours"}
    return " ".join(f"{short[name]} {float(loss):.3f}" for name, loss in losses.items())


if __name__ == "__main__":
    run_stage(train)
