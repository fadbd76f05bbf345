"""The flow that trains with several settings, each in a copy of the workspace, and ranks the models.

`dvc exp run --queue -S` with `dvc queue start` does not replace this: a queued run does not see raw arrays
that git ignores ("No such file or directory: .../data/l"), its worker is a daemon that outlives the flow run, and a
training that was killed counts as failed and is not taken up again. `dvc exp show` has the scores on test images only.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect.states import Cancelled, Completed, Failed, State
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from colorizer.core.errors import UserError
from pipeline.process.children import Children
from pipeline.process.commands import RETRY_WHEN_KILLED, failed, follow, share_of_cores
from pipeline.process.dvc_command import DVC
from pipeline.process.flow_run import STOPPED, end_in_one_line, end_without_server, holding
from pipeline.workspace.candidates import Candidate, Scores, read_candidates, read_scores, write_ranking
from pipeline.workspace.raw_arrays import read_contents, refuse_other_contents
from pipeline.workspace.workspaces import copy_workspace

FOLDER = Path("scratch/sweep")


@flow
def sweep(
    grid: dict[str, list[Any]] | None = None,
    candidates: list[dict[str, Any]] | None = None,
    at_once: Annotated[int, Field(ge=1)] = 1,
) -> State:
    """Train with several settings, rank them by their validation scores, and leave this workspace as it is.

    If it is started again, it skips what is finished and resumes unfinished trainings.

    Args:
        grid: values for params, `{"train.learning_rate": [0.0003, 0.0006], "train.seed": [0, 1]}` for example:
            every combination is tried
        candidates: single settings to try, `[{"train.epochs": 3, "train.l1_pretrain_epochs": 2}]` for example
        at_once: how many trainings at the same time; they share the processor's cores
    """
    folder = Path.cwd()
    try:
        with holding(FOLDER) as children:
            contents = read_contents(folder)
            chosen = read_candidates(folder, FOLDER, grid or {}, candidates or [], contents)
            for candidate in chosen:
                copy_workspace(folder, candidate.workspace)
            states = _try_all(chosen, children, at_once)
            end_without_server()
            scores = {candidate: state.result() for candidate, state in states.items() if state.is_completed()}
            for candidate in scores:
                refuse_other_contents(candidate.workspace, contents)
            rows = write_ranking(FOLDER / "ranking.csv", chosen, scores)
            create_table_artifact(rows, key="ranking", description="By the validation score, the smallest first")
    except UserError as error:
        return end_in_one_line(error)
    return _conclude(states, scores)


def _try_all(chosen: Sequence[Candidate], children: Children, at_once: int) -> dict[Candidate, State[Scores]]:
    """Run every candidate, `at_once` at a time; returns the final states of their tasks, in order."""
    log = get_run_logger()
    with ThreadPoolTaskRunner(max_workers=at_once) as runner:  # type: ignore[var-annotated]
        futures: dict[Any, Candidate] = {
            runner.submit(
                run_candidate.with_options(task_run_name=candidate.name),
                {"candidate": candidate, "children": children, "threads": share_of_cores(at_once)},
            ): candidate
            for candidate in chosen
        }
        try:
            for done, future in enumerate(as_completed(list(futures)), start=1):
                future.wait()
                state = future.state
                told = state.message if state.is_completed() else str(state.name).lower()
                log.info("%d of %d, %s: %s", done, len(chosen), futures[future].name, told)
        except BaseException:
            children.stop()  # leaving the block waits for them
            raise
    return {candidate: future.state for future, candidate in futures.items()}


@task(cache_policy=NO_CACHE, **RETRY_WHEN_KILLED)
def run_candidate(candidate: Candidate, children: Children, threads: Mapping[str, str]) -> State:
    """Train in the candidate's workspace copy, with the data that DVC brings there. Run again if killed by a signal."""
    data = [str(path.relative_to(candidate.workspace)) for path in candidate.workspace.rglob("*.dvc") if path.is_file()]
    checkout = ["checkout", "--force", "--allow-missing", *data]  # what is missing and needed, repro tells
    for name, command in {**({"dvc checkout": checkout} if data else {}), "train": ["repro", "train"]}.items():
        ended = follow(children, [*DVC, *command], folder=candidate.workspace, environment=threads)
        if ended is None:
            return Cancelled(message="stopped with the flow run")
        code, printed = ended
        if code:
            return failed(name, code, printed)
    scores = read_scores(candidate)
    return Completed(message=scores.summary, data=scores)


def _conclude(states: Mapping[Candidate, State[Scores]], scores: Mapping[Candidate, Scores]) -> State:
    if any(state.is_cancelled() for state in states.values()):
        return Cancelled(message=STOPPED)
    wrong = [candidate for candidate, state in states.items() if not state.is_completed()]
    message = f"{len(scores)} of {len(states)} trained"
    if scores:
        best = min(scores, key=lambda candidate: scores[candidate].rank)
        message += f"; the best: {best.name}, {scores[best].summary}"
        told = "the table is in %s; to take the best: python -m pipeline rebuild %s"
        get_run_logger().info(told, FOLDER / "ranking.csv", best.options)
    if wrong:
        return Failed(message=f"{message}; failed: {wrong[0].name}: {states[wrong[0]].message}")
    return Completed(message=message)
