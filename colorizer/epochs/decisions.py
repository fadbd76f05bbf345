"""Deciding after an epoch: as declared in params.yaml, or by asking.

Who answers is a person at the terminal (`train.ask`), or the program that named a folder for questions (see
colorizer/epochs/questions.py).
"""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from colorizer.core.progress import Progress
from colorizer.epochs.decision import Decision, prompt
from colorizer.epochs.questions import FOLDER_VARIABLE, Question, prompt_program
from colorizer.epochs.scratch import Scratch
from colorizer.training.recipe import Recipe

logger = logging.getLogger(__name__)


class Decisions:
    """All decisions about one training: those declared in params.yaml, and the answers given since.

    Answers are kept in the scratch folder until they are declared as well. `check_parent` is called while a program
    has not answered yet; it may end the training by raising. `asks` is True if somebody is asked. `rate_param` is the
    key of params.yaml with the first epoch's learning rate.
    """

    def __init__(
        self,
        scratch: Scratch,
        declared: Sequence[Decision],
        answered: Sequence[Decision],
        *,
        recipe: Recipe,
        monitor: str,
        ask: bool,
        rate_param: str = "train.learning_rate",
        check_parent: Callable[[], None] = lambda: None,
    ) -> None:
        self._scratch, self._recipe, self._monitor, self._check_parent = scratch, recipe, monitor, check_parent
        self._declared, self._answered, self._rate_param = list(declared), list(answered), rate_param
        self._questions = Path(os.environ[FOLDER_VARIABLE]) if FOLDER_VARIABLE in os.environ else None
        self.asks = bool(self._questions) or (ask and sys.stdin.isatty() and sys.stderr.isatty())
        if ask and not self.asks:
            logger.info(
                "train.ask is true but there is no terminal to ask in: going on with train.decisions, and keeping "
                "everything as it is after the other epochs"
            )

    @property
    def all(self) -> list[Decision]:
        return sorted([*self._declared, *self._answered], key=lambda decision: decision.epoch)

    @property
    def declined(self) -> set[int]:
        return {decision.epoch for decision in self.all if not decision.save}

    def learning_rate_at(self, epoch: int) -> float:
        """The latest learning rate decided before this epoch."""
        decided = [d.learning_rate for d in self.all if d.epoch < epoch and d.learning_rate is not None]
        return decided[-1] if decided else self._recipe.learning_rate

    def is_complete(self, epoch: int) -> bool:
        """True if training may end after this many epochs, and nobody has to be asked about them."""
        known = self._about(epoch)
        return (epoch == self._recipe.epochs or (known is not None and known.stop)) and not (self.asks and not known)

    def stop_after(self, history: list[dict], progress: Progress) -> bool:
        """Decide about the epoch that has just finished, by asking if that is wanted; True if it was the last one."""
        if not history:
            return False
        epoch = history[-1]["epoch"]
        decision = self._about(epoch) or self._ask(history, progress)
        if decision.stop and epoch < self._recipe.epochs:
            logger.info(f"stopping after epoch {epoch} of {self._recipe.epochs}, as decided")
        return decision.stop or epoch == self._recipe.epochs

    def facts_before(self, epoch: int) -> dict[str, list]:
        """The decisions that the weights of this epoch depend on, for its metadata; nothing when there are none."""
        made = [_as_param(decision) for decision in self.all if decision.epoch < epoch]
        return {"decisions": made} if made else {}

    def after_divergence(self, epoch: int) -> str:
        """Say what is kept after this epoch diverged, and how to continue: a part of an error message."""
        rate = self.learning_rate_at(epoch)
        if epoch == 1:
            return f"no epoch is finished yet: lower {self._rate_param} in params.yaml, for example to {rate / 10:g}"
        good = epoch - 1
        advised = replace(self._about(good) or Decision(epoch=good), learning_rate=rate / 10)
        return (
            f"epoch {good} is kept in {self._scratch.folder}: to go on from it, put "
            f"`- {_in_short(advised)}` or another rate below {rate:g} into train.decisions "
            f"of params.yaml, in place of what stands there about epoch {good}, and run `dvc repro`"
        )

    @property
    def undeclared(self) -> bool:
        """True if there are answers that params.yaml lacks."""
        return bool(self._answered)

    def as_params(self) -> list[dict]:
        """Return all decisions in the form of train.decisions in params.yaml."""
        return [_as_param(decision) for decision in self.all]

    def mark_declared(self) -> None:
        """Note that params.yaml holds all answers now."""
        self._declared, self._answered = self.all, []
        self._scratch.record(self._declared, [])

    def _about(self, epoch: int) -> Decision | None:
        return next((decision for decision in self.all if decision.epoch == epoch), None)

    def _ask(self, history: list[dict], progress: Progress) -> Decision:
        last = history[-1]
        epoch = last["epoch"]
        if not self.asks:
            return Decision(epoch=epoch)
        with progress.paused():
            criterion = f"validation_{self._monitor}"
            score = f", {criterion.replace('_', ' ')} {last[criterion]:.3f}" if criterion in last else ""
            falling = f", learning rate falling in the last {self._recipe.decay_epochs}" * bool(
                self._recipe.decay_epochs
            )
            summary = f"epoch {epoch} of {self._recipe.epochs}{falling}: L1 {last['l1_loss']:.4f}{score}"
            logger.info(f"{summary}; its pictures are in {self._scratch.sample(epoch)}")
            if self._questions:
                question = Question(
                    epoch=epoch,
                    summary=summary,
                    learning_rate=self.learning_rate_at(epoch),
                    is_last=epoch == self._recipe.epochs,
                    sample=str(self._scratch.sample(epoch).resolve()),
                )
                decision = prompt_program(self._questions, question, self._check_parent)
            else:
                decision = prompt(
                    epoch,
                    self.learning_rate_at(epoch),
                    is_last=epoch == self._recipe.epochs,
                    read=_read,
                    write=_write,
                )
        self._answered.append(decision)
        self._scratch.record(self._declared, self._answered)
        return decision


def _as_param(decision: Decision) -> dict:
    return {name: value for name, value in asdict(decision).items() if value is not None}


def _in_short(decision: Decision) -> str:
    """In one line of YAML, without what is so by default."""
    usual = asdict(Decision(epoch=decision.epoch))
    told = {name: value for name, value in asdict(decision).items() if name == "epoch" or value != usual[name]}
    shown = {name: f"{value:g}" if isinstance(value, float) else str(value).lower() for name, value in told.items()}
    return f"{{{', '.join(f'{name}: {value}' for name, value in shown.items())}}}"


def _read() -> str:
    line = sys.stdin.readline()
    if not line:  # the terminal is gone, or Ctrl-D: not an answer
        raise KeyboardInterrupt
    return line


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
