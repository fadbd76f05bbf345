"""The flow that trains with several settings, each in a copy of the workspace, and ranks the models.

`dvc exp run --queue -S` with `dvc queue start` does not replace this: a queued run does not see raw arrays
that git ignores ("No such file or directory: .../data/l"), its worker is a daemon that outlives the flow run, and a
training that was killed counts as failed and is not taken up again.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.states import Cancelled, Completed, Failed, State
from pydantic import Field

from colorizer.core.errors import DIVERGED, UserError
from pipeline.flows.trials import Grid, Plan, train_all
from pipeline.process.flow_run import STOPPED, end_in_one_line, end_without_server, holding
from pipeline.process.task_runners import task_runner, threads_per_task
from pipeline.sweeps.candidates import Candidate, Scores, read_candidates, write_ranking
from pipeline.sweeps.ranges import read_grid
from pipeline.workspace.raw_arrays import read_contents

FOLDER = Path("scratch/sweep")


@flow
def sweep(
    grid: dict[str, list[Any] | str] | None = None,
    candidates: list[dict[str, Any]] | None = None,
    search: Annotated[int, Field(ge=1)] | None = None,
    at_once: Annotated[int, Field(ge=1)] = 1,
    dask: str | None = None,
) -> State:
    """Train with several settings, rank them by their validation scores, and leave this workspace as it is.

    If it is started again, it skips what is finished and resumes unfinished trainings.

    Args:
        grid: values for params, `{"train.learning_rate": [0.0003, 0.0006], "train.seed": [0, 1]}` for example:
            every combination is tried; with search also ranges, `"log(1e-4, 3e-3)"` or `"uniform(1, 8)"`
        candidates: single settings to try, `[{"train.epochs": 3, "train.l1_pretrain_epochs": 2}]` for example
        search: choose so many settings from the grid's ranges and lists, each with regard to the scores of those before
        at_once: how many trainings at the same time; they share the processor's cores
        dask: train on a Dask cluster: the address of its scheduler, `tcp://10.0.0.1:8786` for example, whose workers
            see the same folder; or `local` for `at_once` worker processes on this machine
    """
    folder = Path.cwd()
    try:
        with holding(FOLDER) as children:
            values = read_grid(grid or {}, candidates or [], search)
            runner = task_runner(dask, at_once)
            contents = read_contents(folder)
            plan: Plan
            if search is None:
                lists = {key: given for key, given in values.items() if isinstance(given, list)}
                plan = Grid(read_candidates(folder, folder / FOLDER, lists, candidates or [], contents))
            else:
                from pipeline.sweeps.search import Search  # and Optuna, which takes half a second

                plan = Search(folder, folder / FOLDER, values, contents, search)
            threads = threads_per_task(dask, at_once)
            states = train_all(plan, runner, None if dask else children, at_once, threads, contents)
            end_without_server()
            chosen = list(dict.fromkeys([*plan.scores, *states, *plan.diverged]))
            rows = write_ranking(FOLDER / "ranking.csv", chosen, plan.scores)
            create_table_artifact(rows, key="ranking", description="By the validation score, the smallest first")
    except UserError as error:
        return end_in_one_line(error)
    return _conclude(states, plan)


def _conclude(states: Mapping[Candidate, State[Scores]], plan: Plan) -> State:
    scores = plan.scores
    if any(state.is_cancelled() for state in states.values()):
        return Cancelled(message=STOPPED)
    wrong = {candidate: str(state.message) for candidate, state in states.items() if not state.is_completed()}
    for candidate in plan.diverged:  # in an earlier run of the search, perhaps
        wrong.setdefault(candidate, DIVERGED)
    trained = {candidate: found for candidate, found in scores.items() if not found.pruned}
    message = f"{len(trained)} of {len(scores) + len(wrong)} trained"
    if pruned := len(scores) - len(trained):
        message += f", {pruned} pruned"
    if trained:
        best = min(trained, key=lambda candidate: trained[candidate].rank)
        message += f"; the best: {best.name}, {trained[best].summary}"
        told = "the table is in %s; to take the best: python -m pipeline rebuild %s"
        get_run_logger().info(told, FOLDER / "ranking.csv", best.options)
    if wrong:
        candidate, told = next(iter(wrong.items()))
        return Failed(message=f"{message}; failed: {candidate.name}: {told}")
    return Completed(message=message)
