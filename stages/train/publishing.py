"""From the scratch folder to the outputs of the training stage, and back from a kill."""

import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path

from colorizer.core.errors import UserError
from colorizer.core.files import write_rows
from colorizer.epochs.decisions import Decision
from colorizer.epochs.retention import chosen_epoch, kept_epochs
from colorizer.epochs.scratch import ResumePoint, Scratch, link_or_copy, unfinished
from colorizer.training.gan import LOSSES
from settings.params import Train
from settings.params_file import read_params
from stages.train.decisions import Decisions, declared, wanted_epochs
from stages.train.dvc_run import is_cached
from stages.train.provenance import differences, train_params, training_facts
from stages.train.setup import Setup

logger = logging.getLogger(__name__)

CHECKPOINTS, MODEL = Path("models/checkpoints"), Path("models/generator.safetensors")
HISTORY, SHEETS = Path("reports/history.csv"), Path("reports/samples")
FRESH = "COLORIZER_FRESH"  # this environment variable, set to anything, says: do not resume


def resume_or_clear(scratch: Scratch, options: Train, facts: dict) -> tuple[ResumePoint | None, list[Decision]]:
    """Return the epoch to resume from and the answers given so far; clear the folder where nothing in it is of use.

    Raises UserError when more epochs are finished than are wanted.
    """
    finished = None if os.environ.get(FRESH) else scratch.newest()
    answers = scratch.answers(declared(options), finished.epoch if finished else 0)
    published_epochs, published_files = scratch.published()
    reason = ""
    if os.environ.get(FRESH):
        reason = f"{FRESH} is set"
    elif wanted_epochs(options) <= published_epochs and is_cached(published_files):
        reason = "this training was finished and published before"
    elif answers is None:
        reason = f"the training in {scratch.folder} was made with other train.decisions"
    elif finished and finished.epoch > options.epochs:
        raise UserError(
            f"the unfinished training in {scratch.folder} has {finished.epoch} epochs, more than train.epochs "
            f"({options.epochs}): set train.epochs to {finished.epoch} or more, or {FRESH}=1 to start at epoch 1"
        )
    elif finished:
        logger.info(f"going on after epoch {finished.epoch}, which is kept in {scratch.folder}")
        scratch.record(declared(options), answers)
        return finished, answers
    elif other := next(unfinished(scratch.folder.parent), None):
        folder, changed = other[0], differences(other[1], facts)
        more = f" and {len(changed) - 3} more changes" if len(changed) > 3 else ""
        reason = f"{'; '.join(changed[:3])}{more} since the unfinished training in {folder}" if changed else ""
    if reason:
        logger.info(f"starting at epoch 1: {reason}")
    scratch.clear()
    scratch.record(declared(options), [])
    return None, []


def refuse_edits(setup: Setup, facts: dict) -> None:
    """Raise UserError when params, code or inputs are no longer those that the training began with.

    DVC reads them after the stage has ended and would record the edited ones as what was trained.
    """
    now = read_params().train
    changed = differences(
        facts | {"params": train_params(setup.options)},
        training_facts(replace(setup, options=now)) | {"params": train_params(now)},
    )
    if changed:
        raise UserError(
            f"not published, for it would be recorded as the result of edits made meanwhile: {'; '.join(changed)}. "
            "Undo them and run `dvc repro` to publish the finished epochs, or run it as it is to train anew"
        )


def publish(scratch: Scratch, options: Train, history: list[dict], decisions: Decisions) -> None:
    """Put checkpoints, model, history and sheets in place of the stage's outputs."""
    for folder in (CHECKPOINTS, SHEETS):
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    chosen = chosen_epoch(history, options.monitor, decisions.declined)
    kept = kept_epochs(len(history), options.keep, decisions.declined)
    checkpoints = {CHECKPOINTS / scratch.checkpoint(epoch).name: scratch.checkpoint(epoch) for epoch in kept}
    sheets = {SHEETS / scratch.sample(row["epoch"]).name: scratch.sample(row["epoch"]) for row in history}
    outputs = {MODEL: scratch.checkpoint(chosen), **checkpoints, **sheets}
    for target, source in outputs.items():
        link_or_copy(source, target)
    scores = sorted(name for name in history[-1] if name.startswith("validation_"))
    write_rows(HISTORY, history, columns=["epoch", "learning_rate", *LOSSES, *scores, "warnings"])
    scratch.record(decisions.all, [])
    scratch.mark_published(len(history), outputs.values())
    if warnings := history[chosen - 1]["warnings"]:
        logger.warning(f"warning: the model, that of epoch {chosen}: {warnings}")
