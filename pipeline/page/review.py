"""A person in the loop: after each epoch the run pauses, its page shows the sample sheet and a form.

Training asks and is answered by files in a folder (`colorizer/epochs/questions.py`).
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.exceptions import NotPausedError
from prefect.flow_runs import pause_flow_run, resume_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run
from prefect.utilities.urls import url_for
from pydantic import Field

from colorizer.epochs.decision import Decision
from colorizer.epochs.questions import FOLDER_VARIABLE, Question, answer_question, open_questions
from pipeline.page.pictures import data_uri
from pipeline.process.children import Children

_SECONDS_BETWEEN_POLLS = 1
_NEVER = 10 * 365 * 24 * 3600  # seconds: Prefect's own time limit fails a run, so it is not the one that is used


class ReviewForm(RunInput):
    """The form that the page shows after an epoch."""

    keep_checkpoint: bool = Field(default=True, title="Keep this checkpoint?")
    learning_rate: float
    stop_here: bool = Field(default=False, title="Stop here?")


@contextmanager
def reviewing(wanted: bool, minutes: float, children: Children) -> Iterator["Review | None"]:
    """Give a review until the block ends, or None if none is wanted."""
    with tempfile.TemporaryDirectory(prefix="review-") as folder:
        yield Review(Path(folder), minutes, children) if wanted else None


class Review:
    """Puts the questions of one training to whoever looks at the run, for at most `minutes` each."""

    def __init__(self, folder: Path, minutes: float, children: Children) -> None:
        self._folder, self._minutes, self._children = folder, minutes, children

    @property
    def environment(self) -> dict[str, str]:
        """Environment variable that makes the training ask in this review's folder."""
        return {FOLDER_VARIABLE: str(self._folder)}

    def look(self) -> None:
        """Answer the question that is open, if there is one; returns when that is done or the run is stopped."""
        for question in open_questions(self._folder):
            answer = self._ask(question)
            if answer is not None:
                answer_question(self._folder, _decision(question, answer))

    def _ask(self, question: Question) -> ReviewForm | None:
        """Ask on the run's page; return the answer, the defaults after the time limit, or None if the run stops."""
        log = get_run_logger()
        page = url_for("flow-run", flow_run.get_id())
        log.info("%s: waiting up to %g minutes for an answer at %s", question.summary, self._minutes, page)
        deadline = time.monotonic() + 60 * self._minutes
        answers = _pause(question)
        while not answers:
            if self._children.are_stopped:
                return None
            if time.monotonic() > deadline:
                log.info("epoch %d: nobody answered in %g minutes; going on unchanged", question.epoch, self._minutes)
                with suppress(NotPausedError):  # somebody did, just now
                    resume_flow_run(UUID(flow_run.get_id()), run_input=_defaults(question))
                deadline = time.monotonic() + 60
            time.sleep(0.2)
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]


def _pause(question: Question) -> list[ReviewForm | Exception]:
    """Pause the run and show the form; the list that is returned gets the answer, or why there is none."""
    answers: list[ReviewForm | Exception] = []
    rate: Any = Field(question.learning_rate, title="Learning rate from here on", gt=0, allow_inf_nan=False)
    form = ReviewForm.with_initial_data(description=_describe(question), learning_rate=rate)

    def pause() -> None:
        key = f"epoch-{question.epoch}"
        try:
            answers.append(
                pause_flow_run(wait_for_input=form, timeout=_NEVER, poll_interval=_SECONDS_BETWEEN_POLLS, key=key)
            )
        except Exception as error:
            answers.append(error)

    # A daemon, as waiting for the server must not keep a stopped process alive.
    threading.Thread(target=copy_context().run, args=(pause,), daemon=True).start()
    return answers


def _defaults(question: Question) -> dict[str, Any]:
    return {"keep_checkpoint": True, "learning_rate": question.learning_rate, "stop_here": False}


def _decision(question: Question, answer: ReviewForm) -> Decision:
    changed = answer.learning_rate != question.learning_rate
    return Decision(
        epoch=question.epoch,
        save=answer.keep_checkpoint,
        learning_rate=answer.learning_rate if changed else None,
        stop=answer.stop_here,
    )


def _describe(question: Question) -> str:
    """Markdown, shown above the form."""
    sheet = f"![grey, generated, truth]({data_uri(Path(question.sample))})"
    last = "\n\nThis was the last epoch: only the first answer counts." if question.is_last else ""
    return f"## {question.summary}\n\n{sheet}\n\nGrey, generated, truth.{last}"
