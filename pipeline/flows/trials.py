"""The trainings of a sweep: which come next, where they run, and what becomes of one whose process is killed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect.states import Cancelled, Completed, State
from prefect.task_runners import TaskRunner

from colorizer.core.errors import DIVERGED
from pipeline.process.children import Children
from pipeline.process.commands import RETRY_WHEN_KILLED, failed, follow
from pipeline.process.dvc_command import DVC
from pipeline.process.flow_run import stopping_children
from pipeline.sweeps.candidates import Candidate, PrunedError, Scores, read_scores
from pipeline.workspace.raw_arrays import refuse_other_contents
from pipeline.workspace.workspaces import copy_workspace

if TYPE_CHECKING:
    from pipeline.sweeps.pruning import Pruner

_LOCK = Path("scratch", "run.lock")


class Plan(Protocol):
    """What a sweep tries, and the scores so far."""

    total: int
    scores: dict[Candidate, Scores]
    diverged: list[Candidate]

    def candidates(self) -> "Iterator[tuple[Candidate, Pruner | None]]":
        """Yield candidates to train; the next one is asked for when there is room for it."""

    def record(self, candidate: Candidate, scores: Scores) -> None:
        """Take the scores of a candidate that is done."""

    def give_up(self, candidate: Candidate) -> None:
        """Take note of a candidate whose training diverges, however often it is tried."""


class Grid:
    """Tries candidates that are known from the beginning."""

    def __init__(self, chosen: Sequence[Candidate]) -> None:
        self._chosen, self.total = chosen, len(chosen)
        self.scores: dict[Candidate, Scores] = {}
        self.diverged: list[Candidate] = []

    def candidates(self) -> "Iterator[tuple[Candidate, Pruner | None]]":
        return ((candidate, None) for candidate in self._chosen)

    def record(self, candidate: Candidate, scores: Scores) -> None:
        self.scores[candidate] = scores

    def give_up(self, candidate: Candidate) -> None:
        self.diverged.append(candidate)


def train_all(
    plan: Plan,
    task_runner: TaskRunner[Any],
    children: Children | None,
    at_once: int,
    threads: Mapping[str, str],
    contents: Mapping[str, str],
) -> dict[Candidate, State[Scores]]:
    """Train every candidate; returns the final states of their tasks, in order.

    A grid's tasks are all handed to the runner, which knows how many it can carry out at once; a search chooses the
    next one when less than `at_once` are under way. `children` is None when tasks run in other processes. `threads` is
    the environment that tells each how many to use. Raises UserError when the raw arrays are no longer those of
    `contents`.
    """
    log, folder = get_run_logger(), Path.cwd()
    waiting = plan.candidates()
    open_at_once = plan.total if isinstance(plan, Grid) else at_once
    states: dict[Candidate, State[Scores]] = {}
    futures: dict[Any, Candidate] = {}
    done = len(plan.scores)
    with task_runner as runner:
        try:
            while True:
                while len(futures) < open_at_once and (following := next(waiting, None)):
                    candidate, pruner = following
                    copy_workspace(folder, candidate.workspace)
                    parameters = {
                        "candidate": candidate,
                        "children": children,
                        "threads": threads,
                        "pruner": pruner,
                    }
                    named = run_candidate.with_options(task_run_name=candidate.name)
                    futures[runner.submit(named, parameters)] = candidate
                    states[candidate] = Cancelled()  # until it is done
                if not futures:
                    return states
                future = next(iter(as_completed(list(futures))))
                future.wait()
                candidate = futures.pop(future)
                state = states[candidate] = future.state
                done += 1
                if state.is_completed():
                    refuse_other_contents(candidate.workspace, contents)
                    plan.record(candidate, state.result())
                if state.is_failed() and DIVERGED in (state.message or ""):
                    plan.give_up(candidate)
                if state.is_cancelled():
                    waiting = iter(())  # a search would choose without these scores
                told = state.message if state.is_completed() else str(state.name).lower()
                log.info("%d of %d, %s: %s", done, plan.total, candidate.name, told)
        except BaseException:
            if children:
                children.stop()  # leaving the block waits for them
            raise


@task(cache_policy=NO_CACHE, **RETRY_WHEN_KILLED)
def run_candidate(
    candidate: Candidate, children: Children | None, threads: Mapping[str, str], pruner: "Pruner | None"
) -> State:
    """Train in the candidate's workspace copy, with the data that DVC brings there. Run again if killed by a signal.

    In another process than the flow's it has children of its own. What a killed worker has left behind ends by itself,
    and is waited for; then the training resumes.
    """
    workspace, lock = candidate.workspace, candidate.workspace / _LOCK
    lock.parent.mkdir(exist_ok=True)
    data = [str(path.relative_to(workspace)) for path in workspace.rglob("*.dvc") if path.is_file()]
    checkout = ["checkout", "--force", "--allow-missing", *data]  # what is missing and needed, repro tells
    look = pruner.look if pruner else lambda: None
    try:
        if pruner:
            pruner.begin()
        with nullcontext(children) if children else stopping_children() as these:
            for name, command in {**({"dvc checkout": checkout} if data else {}), "train": ["repro", "train"]}.items():
                line = [*DVC, *command]
                ended = follow(these, line, folder=workspace, environment=threads, on_tick=look, lock=lock)
                if ended is None:
                    return Cancelled(message="stopped with the flow run")
                code, printed = ended
                if code:
                    return failed(name, code, printed)
        if pruner:
            pruner.finish()
        scores = read_scores(candidate)
    except PrunedError as error:
        scores = error.scores
    return Completed(name="Pruned" if scores.pruned else "Completed", message=scores.summary, data=scores)
