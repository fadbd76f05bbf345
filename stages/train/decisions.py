"""Decisions after an epoch: declared in params.yaml, or asked for and then declared.

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
from colorizer.epochs.decisions import Decision, prompt
from colorizer.epochs.questions import FOLDER, Question, prompt_program
from colorizer.epochs.scratch import Scratch
from settings.params import Train
from settings.params_file import write_params

logger = logging.getLogger(__name__)


def declared(options: Train) -> list[Decision]:
    """The decisions that params.yaml holds."""
    return [Decision(**decision.model_dump()) for decision in options.decisions]


def wanted_epochs(options: Train) -> int:
    """How many epochs the params ask for: up to a decision to stop, if there is one."""
    return next((decision.epoch for decision in options.decisions if decision.stop), options.epochs)


class Decisions:
    """All decisions about one training. Answers are kept in its scratch folder until they are declared."""

    def __init__(
        self,
        scratch: Scratch,
        options: Train,
        answered: Sequence[Decision],
        *,
        while_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """`while_waiting` is called while a program has not answered yet, and may end the training by raising."""
        self._scratch, self._options, self._while_waiting = scratch, options, while_waiting
        self._declared, self._answered = declared(options), list(answered)
        self._questions = Path(os.environ[FOLDER]) if FOLDER in os.environ else None
        self._asks = bool(self._questions) or (options.ask and sys.stdin.isatty() and sys.stderr.isatty())
        if options.ask and not self._asks:
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
        return decided[-1] if decided else self._options.learning_rate

    def is_complete(self, epoch: int) -> bool:
        """Whether nothing has to be trained or asked any more after this many epochs."""
        known = self._about(epoch)
        return (epoch == self._options.epochs or (known is not None and known.stop)) and not (self._asks and not known)

    def stop_after(self, history: list[dict], progress: Progress) -> bool:
        """Whether the epoch that has just finished is the last one; asks about it if that is wanted."""
        if not history:
            return False
        epoch = history[-1]["epoch"]
        decision = self._about(epoch) or self._ask(history, progress)
        if decision.stop and epoch < self._options.epochs:
            logger.info(f"stopping after epoch {epoch} of {self._options.epochs}, as decided")
        return decision.stop or epoch == self._options.epochs

    def facts_before(self, epoch: int) -> dict[str, list]:
        """The decisions that the weights of this epoch depend on, for its metadata; nothing when there are none."""
        made = [_as_param(decision) for decision in self.all if decision.epoch < epoch]
        return {"decisions": made} if made else {}

    def after_divergence(self, epoch: int) -> str:
        """What is left and what to do, for a message, when this epoch diverged."""
        rate = self.learning_rate_at(epoch)
        if epoch == 1:
            return f"no epoch is finished yet: lower train.learning_rate in params.yaml, for example to {rate / 10:g}"
        good = epoch - 1
        advised = replace(self._about(good) or Decision(epoch=good), learning_rate=rate / 10)
        return (
            f"epoch {good} is kept in {self._scratch.folder}: to go on from it, put "
            f"`- {_in_short(advised)}` or another rate below {rate:g} into train.decisions "
            f"of params.yaml, in place of what stands there about epoch {good}, and run `dvc repro`"
        )

    def declare(self) -> None:
        """Write the answers to params.yaml, which DVC reads after the stage: the lock then says what was trained."""
        if self._answered:
            write_params({"train.decisions": [_as_param(decision) for decision in self.all]})
            self._declared, self._answered = self.all, []
            self._scratch.record(self._declared, [])

    def _about(self, epoch: int) -> Decision | None:
        return next((decision for decision in self.all if decision.epoch == epoch), None)

    def _ask(self, history: list[dict], progress: Progress) -> Decision:
        last = history[-1]
        epoch = last["epoch"]
        if not self._asks:
            return Decision(epoch=epoch)
        with progress.paused():
            criterion = f"validation_{self._options.monitor}"
            score = f", {criterion.replace('_', ' ')} {last[criterion]:.3f}" if criterion in last else ""
            falling = f", learning rate falling in the last {self._options.decay_epochs}" * bool(
                self._options.decay_epochs
            )
            summary = f"epoch {epoch} of {self._options.epochs}{falling}: L1 {last['l1_loss']:.4f}{score}"
            logger.info(f"{summary}; its pictures are in {self._scratch.sample(epoch)}")
            if self._questions:
                question = Question(
                    epoch=epoch,
                    summary=summary,
                    learning_rate=self.learning_rate_at(epoch),
                    is_last=epoch == self._options.epochs,
                    sample=str(self._scratch.sample(epoch).resolve()),
                )
                decision = prompt_program(self._questions, question, self._while_waiting)
            else:
                decision = prompt(
                    epoch,
                    self.learning_rate_at(epoch),
                    is_last=epoch == self._options.epochs,
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
