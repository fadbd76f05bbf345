"""Publishes a training's files as the outputs of the stage, and finds the epoch that a killed training resumes from."""

import logging
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorizer.core.errors import UserError
from colorizer.core.files import write_rows
from colorizer.epochs.decision import Decision
from colorizer.epochs.decisions import Decisions
from colorizer.epochs.retention import chosen_epoch, kept_epochs
from colorizer.epochs.scratch import ResumePoint, Scratch, link_or_copy, unfinished
from colorizer.training.gan import HINT_LOSS, LOSSES

logger = logging.getLogger(__name__)

FRESH = "COLORIZER_FRESH"  # this environment variable, set to anything, says: do not resume


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Where the results of a training go: a file for the model and the history, a folder for the others."""

    model: Path
    checkpoints: Path
    history: Path
    samples: Path


def resume_or_clear(
    scratch: Scratch,
    facts: dict,
    declared: Sequence[Decision],
    *,
    epochs: int,
    is_cached: Callable[[Sequence[Path]], bool],
) -> tuple[ResumePoint | None, list[Decision]]:
    """Return the epoch to resume from and the answers given so far; clear the folder where nothing in it is of use.

    `is_cached` says whether DVC has taken published files into its cache. Raises UserError when more epochs are
    finished than the `epochs` that are wanted.
    """
    finished = None if os.environ.get(FRESH) else scratch.newest()
    answers = scratch.answers(declared, finished.epoch if finished else 0)
    wanted = next((decision.epoch for decision in declared if decision.stop), epochs)
    published_epochs, published_files = scratch.published()
    reason = ""
    if os.environ.get(FRESH):
        reason = f"{FRESH} is set"
    elif wanted <= published_epochs and is_cached(published_files):
        reason = "this training was finished and published before"
    elif answers is None:
        reason = f"the training in {scratch.folder} was made with other train.decisions"
    elif finished and finished.epoch > epochs:
        raise UserError(
            f"the unfinished training in {scratch.folder} has {finished.epoch} epochs, more than train.epochs "
            f"({epochs}): set train.epochs to {finished.epoch} or more, or {FRESH}=1 to start at epoch 1"
        )
    elif finished:
        logger.info(f"resuming after epoch {finished.epoch}, which is kept in {scratch.folder}")
        scratch.record(declared, answers)
        return finished, answers
    elif other := next(unfinished(scratch.folder.parent), None):
        folder, changed = other[0], differences(other[1], facts)
        more = f" and {len(changed) - 3} more changes" if len(changed) > 3 else ""
        reason = f"{'; '.join(changed[:3])}{more} since the unfinished training in {folder}" if changed else ""
    if reason:
        logger.info(f"starting at epoch 1: {reason}")
    scratch.clear()
    scratch.record(declared, [])
    return None, []


def refuse_edits(before: dict, now: dict) -> None:
    """Raise UserError when params, code or inputs are no longer those that the training began with.

    DVC reads them after the stage has ended and would record the edited ones as what was trained.
    """
    changed = differences(before, now)
    if changed:
        raise UserError(
            f"not published, because these changed during the training: {'; '.join(changed)}. DVC would record them as "
            "what was trained. Undo the changes and run `dvc repro` to publish the finished epochs, or keep them and "
            "run it to train again"
        )


def publish(
    scratch: Scratch, history: list[dict], decisions: Decisions, *, keep: str, monitor: str, outputs: Outputs
) -> None:
    """Replace the outputs: link model, checkpoints and sample sheets from the scratch folder, and write the history."""
    for folder in (outputs.checkpoints, outputs.samples):
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    chosen = chosen_epoch(history, monitor, decisions.declined)
    kept = kept_epochs(len(history), keep, decisions.declined)
    checkpoints = {outputs.checkpoints / scratch.checkpoint(epoch).name: scratch.checkpoint(epoch) for epoch in kept}
    sheets = {outputs.samples / scratch.sample(row["epoch"]).name: scratch.sample(row["epoch"]) for row in history}
    files = {outputs.model: scratch.checkpoint(chosen), **checkpoints, **sheets}
    for target, source in files.items():
        link_or_copy(source, target)
    scores = sorted(name for name in history[-1] if name.startswith("validation_"))
    losses = [*LOSSES, HINT_LOSS] if HINT_LOSS in history[-1] else LOSSES
    write_rows(outputs.history, history, columns=["epoch", "learning_rate", *losses, *scores, "warnings"])
    scratch.record(decisions.all, [])
    scratch.mark_published(len(history), files.values())
    score = history[chosen - 1].get(f"validation_{monitor}")
    told = "" if score is None else f", validation {monitor.replace('_', ' ')} {score:.3f}"
    logger.info(f"the model is that of epoch {chosen} of {len(history)}{told}")
    if warnings := history[chosen - 1]["warnings"]:
        logger.warning(f"warning: the model, that of epoch {chosen}: {warnings}")


def differences(before: dict[str, dict], now: dict[str, dict]) -> list[str]:
    """Describe each difference between two sets of facts, such as `train.epochs changed from 16 to 17`."""
    phrases = []
    for kind in now:
        old, new = before.get(kind, {}), now[kind]
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                told = kind not in ("inputs", "code") and name in old and name in new
                was = f" from {old[name]} to {new[name]}" if told else ""
                phrases.append(f"{name} changed{was}")
    return phrases
