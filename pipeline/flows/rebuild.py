"""The flow that brings the workspace up to date, a task per DVC stage."""

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.states import Cancelled, Completed, Failed, State
from prefect.task_runners import ThreadPoolTaskRunner

from colorizer.core.errors import UserError
from pipeline.flows.artifacts import describe, publish_scores, publish_stage_table
from pipeline.page.review import reviewing
from pipeline.process.commands import run_dvc
from pipeline.process.flow_run import STOPPED, end_in_one_line, end_without_server, holding
from pipeline.workspace.overrides import set_params
from pipeline.workspace.plan import read_plan
from pipeline.workspace.remote import refuse_silence
from pipeline.workspace.stage_runs import Build, Outcome, run_stages
from settings.params_file import read_params
from settings.unused_arrays import describe_unused_arrays


@flow(task_runner=ThreadPoolTaskRunner(max_workers=4))  # type: ignore[arg-type]
def rebuild(
    targets: list[str] | None = None,
    preset: str | None = None,
    overrides: dict[str, Any] | None = None,
    pull: bool = False,
    push: bool = False,
    force: bool = False,
    review: bool = False,
    review_minutes: float = 60,
) -> State:
    """Run the stages that a change makes necessary, in this workspace, as `dvc repro` would.

    Args:
        targets: stages to bring up to date, with all that they depend on; none means every stage
        preset: a file of presets/ that replaces params.yaml, `photos64` for example
        overrides: single params, `{"train.epochs": 20}` for example. They are written to params.yaml and stay there,
            so that dvc.lock and params.yaml tell what was run
        pull: fetch data and outputs from the DVC remote before
        push: send the outputs to the DVC remote afterwards
        force: run the stages even if nothing changed
        review: after each epoch, pause and ask: keep this checkpoint? another learning rate? stop here?
        review_minutes: how long to wait for an answer; then training continues unchanged
    """
    folder, log = Path.cwd(), get_run_logger()
    try:
        with holding(folder / "scratch") as children, reviewing(review, review_minutes, children) as reviewer:
            build = Build(folder, children, force=force, review=reviewer)
            for line in set_params(folder, preset, overrides or {}):
                log.info(line)
            if unused := describe_unused_arrays(read_params()):
                log.warning(unused)
            if pull:
                refuse_silence(folder, children)
                run_dvc(children, folder, "pull", "--allow-missing", "--run-cache")
            states = run_stages(build, read_plan(folder, children, targets or []))
            end = conclude(states)
            end_without_server()
            publish_stage_table(states)
            if "evaluate" in states and states["evaluate"].is_completed():
                publish_scores(folder)
            if push and end.is_completed():
                refuse_silence(folder, children)
                run_dvc(children, folder, "push", "--run-cache")
    except UserError as error:
        return end_in_one_line(error)
    for line in describe(states):
        log.info(line)
    return end


def conclude(states: dict[str, State[Outcome]]) -> State:
    """Combine the stages' states into the flow's final state."""
    if failed := [state for state in states.values() if state.is_failed()]:
        return Failed(message=failed[0].message)
    if any(state.is_cancelled() for state in states.values()):
        return Cancelled(message=STOPPED)
    results = [state.result().result for state in states.values()]
    counted = {result: results.count(result) for result in ("ran", "restored", "unchanged")}
    return Completed(message=", ".join(f"{count} {result}" for result, count in counted.items() if count))
