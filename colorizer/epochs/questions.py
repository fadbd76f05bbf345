"""Asking a program instead of the terminal: question-NNNN.json in a folder, answered by answer-NNNN.json beside it.

Both sides are here. Either may be killed at any time: a question is asked anew by the next training.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from colorizer.core.files import write_text
from colorizer.epochs.decision import Decision

FOLDER_VARIABLE = "COLORIZER_QUESTIONS"  # this environment variable names the folder to a training
_SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question about the epoch that has just finished. `sample` is the file of its sample sheet."""

    epoch: int
    summary: str
    learning_rate: float
    is_last: bool
    sample: str


def prompt_program(folder: Path, question: Question, while_waiting: Callable[[], None]) -> Decision:
    """Write a question and wait for its answer.

    `while_waiting` is called at every poll; by raising it ends the wait.
    """
    answer = _answer(folder, question.epoch)
    answer.unlink(missing_ok=True)  # to an earlier training
    write_text(folder / f"question-{question.epoch:04d}.json", json.dumps(asdict(question)))
    while not answer.exists():
        while_waiting()
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return Decision(**json.loads(answer.read_text(encoding="utf-8")))


def open_questions(folder: Path) -> Iterator[Question]:
    """Yield the questions in the folder that have no answer yet."""
    for path in sorted(folder.glob("question-*.json")):
        question = Question(**json.loads(path.read_text(encoding="utf-8")))
        if not _answer(folder, question.epoch).exists():
            yield question


def answer_question(folder: Path, decision: Decision) -> None:
    """Write the answer that the waiting training reads."""
    write_text(_answer(folder, decision.epoch), json.dumps(asdict(decision)))


def _answer(folder: Path, epoch: int) -> Path:
    return folder / f"answer-{epoch:04d}.json"
