"""From the scratch folder to the outputs of the training stage, and back from a kill."""

import os
import shutil
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from colorizer.decisions import Decision
from colorizer.errors import UserError
from colorizer.files import write_csv
from colorizer.retention import chosen_epoch, kept_epochs
from colorizer.scratch import Finished, Scratch, place, unfinished
from colorizer.training import LOSSES
from stages.decisions import Decisions
from stages.dvc_run import is_cached
from stages.entry import say
from stages.facts import differences, flat, training_facts
from stages.params import Train
from stages.params_file import read_params

CHECKPOINTS, MODEL = Path("models/checkpoints"), Path("models/generator.safetensors")
HISTORY, SHEETS = Path("reports/history.csv"), Path("reports/samples")
FRESH = "COLORIZER_FRESH"  # this environment variable, set to anything, says: do not resume


def take_up(scratch: Scratch, options: Train, facts: dict) -> tuple[Finished | None, list[Decision]]:
    """What to go on from and the answers given so far; where there is nothing of use, the folder is made empty."""
    declared = options.decided()
    answers = scratch.answers(declared)
    finished, reason = None, ""
    published_epochs, published_files = scratch.published()
    if os.environ.get(FRESH):
        reason = f"{FRESH} is set"
    elif answers is None:
        reason = f"the training in {scratch.folder} was made with other train.decisions"
    elif options.epochs <= published_epochs and is_cached(published_files):
        reason = "this training was finished and published before"
    elif finished := scratch.newest(say):
        finished = shortened(scratch, finished, options, answers)
        reason = "" if finished else f"the unfinished training in {scratch.folder} has more epochs than train.epochs"
    elif other := next(unfinished(scratch.folder.parent), None):
        folder, changed = other[0], differences(other[1], facts)
        more = f" and {len(changed) - 3} more changes" if len(changed) > 3 else ""
        reason = f"{'; '.join(changed[:3])}{more} since the unfinished training in {folder}"
    if finished is not None and answers is not None:
        say(f"going on after epoch {finished.epoch}, which is kept in {scratch.folder}")
        scratch.record(declared, answers)
        return finished, answers
    if reason:
        say(f"starting at epoch 1: {reason}")
    scratch.clear()
    scratch.record(declared, [])
    return None, []


def shortened(scratch: Scratch, finished: Finished, options: Train, answers: list[Decision]) -> Finished | None:
    """Of a training with more epochs than are wanted now, the first ones, if their checkpoints are still there."""
    if finished.epoch <= options.epochs:
        return finished
    history = finished.history[: options.epochs]
    declined = {decision.epoch for decision in (*options.decided(), *answers) if not decision.save}
    needed = needed_checkpoints(history, options, declined)
    if not all(scratch.checkpoint(epoch).is_file() for epoch in needed):
        return None
    return replace(finished, epoch=options.epochs, history=history)


def needed_checkpoints(history: list[dict], options: Train, declined: Collection[int]) -> set[int]:
    """The epochs whose checkpoints are published, one of them perhaps as the model alone."""
    return {*kept_epochs(len(history), options.keep, declined), chosen_epoch(history, options.choose, declined)}


def refuse_edits(options: Train, facts: dict, device: torch.device) -> None:
    """Raise UserError when params, code or inputs are no longer those that the training began with.

    DVC reads them after the stage has ended and would record the edited ones as what was trained.
    """
    now = read_params().train
    changed = differences(facts | {"params": flat(options)}, training_facts(now, device) | {"params": flat(now)})
    if changed:
        raise UserError(
            f"not published, for it would be recorded as the result of edits made meanwhile: {'; '.join(changed)}. "
            "Undo them and run `dvc repro` to publish the finished epochs, or run it as it is to train anew"
        )


def publish(scratch: Scratch, options: Train, history: list[dict], decisions: Decisions) -> None:
    """Put checkpoints, model, history and sheets in place of the stage's outputs."""
    for folder in (CHECKPOINTS, SHEETS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    model = scratch.checkpoint(chosen_epoch(history, options.choose, decisions.declined))
    kept = kept_epochs(len(history), options.keep, decisions.declined)
    checkpoints = {CHECKPOINTS / scratch.checkpoint(epoch).name: scratch.checkpoint(epoch) for epoch in kept}
    sheets = {SHEETS / scratch.sample(row["epoch"]).name: scratch.sample(row["epoch"]) for row in history}
    outputs = {MODEL: model, **checkpoints, **sheets}
    for target, source in outputs.items():
        place(source, target)
    scores = sorted(name for name in history[-1] if name.startswith("validation_"))
    write_csv(HISTORY, pd.DataFrame(history, columns=["epoch", "learning_rate", *LOSSES, *scores]))
    scratch.record(decisions.all, [])
    scratch.mark_published(options.epochs, outputs.values())
