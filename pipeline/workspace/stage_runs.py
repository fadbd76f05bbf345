"""Run the DVC stages of a plan, one Prefect task per stage, in the order of the graph."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.states import Cancelled, Completed, State

from pipeline.page.review import Review
from pipeline.page.training_watch import TrainingWatch
from pipeline.process.children import Children
from pipeline.process.commands import RETRY_WHEN_KILLED, failed, follow
from pipeline.process.dvc_command import dvc_batch
from pipeline.workspace.plan import PlannedStage, is_status, read_reason, status_of

# What DVC prints of a stage, and what that means.
_RESULTS: Mapping[str, "Result"] = {
    "Running stage": "ran",
    "is cached - skipping run": "restored",
    "didn't change, skipping": "unchanged",
}

_NO_REASON = "nothing it depends on has changed"

Result = Literal["ran", "restored", "unchanged"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one stage's task: what was done, why, and how many seconds it took."""

    stage: str
    result: Result
    reason: str
    seconds: float


@dataclass(frozen=True)
class Build:
    """A workspace and how its stages are to be run."""

    folder: Path
    children: Children
    force: bool = False
    review: Review | None = None


def run_stages(build: Build, plan: Sequence[PlannedStage]) -> dict[str, State[Outcome]]:
    """Run the stages that have to run, independent ones in parallel; returns each task's final state, in order.

    A stage after one that failed is not run.
    """
    futures: dict[str, Any] = {}
    for stage in plan:
        named = run_stage.with_options(name=stage.name, task_run_name=stage.name)
        after = [futures[name] for name in stage.upstream if name in futures]
        futures[stage.name] = named.submit(build, stage, after)
    wait(list(futures.values()))
    return {name: future.state for name, future in futures.items()}


@task(cache_policy=NO_CACHE, **RETRY_WHEN_KILLED)
def run_stage(build: Build, stage: PlannedStage, after: list[Outcome]) -> State:
    """Run `dvc repro` of one stage and send its output to the log.

    The state's name tells ran, restored and unchanged apart, its message why. Killed by a signal, it is run again.
    """
    try:
        return _run_stage(build, stage, after)
    except Exception:
        get_run_logger().exception("%s could not be run", stage.name)  # Prefect shows no traceback of its own here
        raise


def _run_stage(build: Build, stage: PlannedStage, after: list[Outcome]) -> State:
    started = time.monotonic()
    reason = "forced" if build.force else stage.reason
    commands = [["repro", "--single-item", *(["--force"] if build.force else []), stage.name]]
    asks_why = not build.force and any(outcome.result != "unchanged" for outcome in after)
    if asks_why:
        commands.insert(0, status_of(stage))
    elif reason:
        get_run_logger().info("%s: %s", stage.name, reason)
    else:
        return _completed(stage, "unchanged", _NO_REASON, started)

    def with_reason(line: str) -> str:
        nonlocal asks_why, reason
        if not asks_why or not is_status(line):
            return line
        asks_why = False
        reason = read_reason(build.folder, stage, line)
        return f"{stage.name}: {reason or _NO_REASON}"

    watch = TrainingWatch(build.folder, build.review) if stage.name == "train" else None
    ended = follow(
        build.children,
        dvc_batch(*commands),
        folder=build.folder,
        environment=watch.environment if watch else {},
        on_tick=watch.look if watch else lambda: None,
        edit=with_reason,
    )
    if watch:
        watch.finish()
    if ended is None:
        return Cancelled(message="stopped with the flow run")
    code, printed = ended
    if code:
        return failed(stage.name, code, printed)
    result = next(result for words, result in _RESULTS.items() if any(words in line for line in printed))
    return _completed(stage, result, reason or _NO_REASON, started)


def _completed(stage: PlannedStage, result: Result, reason: str, started: float) -> State:
    outcome = Outcome(stage=stage.name, result=result, reason=reason, seconds=time.monotonic() - started)
    return Completed(name=result.capitalize(), message=reason, data=outcome)
