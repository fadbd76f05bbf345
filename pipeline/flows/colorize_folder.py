"""The flow that colours a folder of photographs in shards, on this machine or on a Dask cluster."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect.states import Cancelled, Completed, Failed, State
from prefect.task_runners import TaskRunner
from pydantic import Field

from colorizer.core.errors import UserError
from colorizer.models.registry import MODEL_PATH, find_model
from colorizer.photographs.files import Format
from colorizer.photographs.jobs import plan_jobs
from pipeline.process.children import Children
from pipeline.process.commands import RETRY_WHEN_KILLED, failed, follow
from pipeline.process.flow_run import STOPPED, end_in_one_line, end_without_server, holding, stopping_children
from pipeline.process.task_runners import task_runner, threads_per_task


@flow
def colorize_folder(
    photographs: Annotated[str, Field(min_length=1)],
    out: Annotated[str, Field(min_length=1)],
    model: str = str(MODEL_PATH),
    strength: Annotated[float, Field(ge=0, le=4)] = 1.0,
    format: Format = "png",
    shard_size: Annotated[int, Field(ge=1)] = 100,
    at_once: Annotated[int, Field(ge=1)] = 1,
    dask: str | None = None,
) -> State:
    """Colour a folder of photographs. If it is started again, it skips those that are finished.

    Args:
        photographs: a folder; those below it are found too
        out: the folder for the coloured ones, which get the same names
        model: a file, or a registered name, `generator#prod` for example
        strength: factor on the chroma; 0 is grey
        format: all but jpeg are lossless
        shard_size: photographs per task; each task loads the model once
        at_once: how many tasks at the same time; they share the processor's cores
        dask: run the tasks on a Dask cluster: the address of its scheduler, `tcp://10.0.0.1:8786` for example, whose
            workers see the same folders; or `local` for `at_once` worker processes on this machine
    """
    folder = Path.cwd()
    try:
        with holding(folder / "scratch" / "colorize") as children:
            runner = task_runner(dask, at_once)
            count = len(plan_jobs([folder / photographs], folder / out, format))
            num_shards = -(-count // shard_size)
            get_run_logger().info("%d photographs in %d shards", count, num_shards)
            command = [sys.executable, "-m", "colorizer", "colorize", photographs, "--out", out, "--format", format]
            command += ["--model", str(_model_file(folder, model)), "--strength", str(strength)]
            states = _color_all(
                runner, num_shards, command, None if dask else children, threads_per_task(dask, at_once)
            )
            end_without_server()
    except UserError as error:
        return end_in_one_line(error)
    rows = [{"shard": name, "state": state.name, "result": state.message} for name, state in states.items()]
    create_table_artifact(rows, key="shards", description="What became of every shard")
    if any(state.is_cancelled() for state in states.values()):
        return Cancelled(message=STOPPED)
    if wrong := [state for state in states.values() if not state.is_completed()]:
        return Failed(message=f"{len(wrong)} of {num_shards} shards failed: {wrong[0].message}")
    return Completed(message=f"{count} photographs are coloured in {out}")


def _model_file(folder: Path, model: str) -> Path:
    path = find_model(folder, model)
    if not path.exists():
        raise UserError(f"{path} is missing: train a model with `make repro`, or name another")
    return path


def _color_all(
    task_runner: TaskRunner[Any],
    num_shards: int,
    command: Sequence[str],
    children: Children | None,
    environment: Mapping[str, str],
) -> dict[str, State]:
    log = get_run_logger()
    with task_runner as runner:
        futures = {}
        for number in range(1, num_shards + 1):
            name = f"{number}/{num_shards}"
            parameters = {
                "command": [*command, "--shard", name],
                "folder": Path.cwd(),
                "children": children,
                "environment": environment,
            }
            futures[runner.submit(color_shard.with_options(task_run_name=f"shard {name}"), parameters)] = name
        try:
            for done, future in enumerate(as_completed(list(futures)), start=1):
                future.wait()
                log.info("%d of %d: shard %s %s", done, num_shards, futures[future], future.state.name)
        except BaseException:
            if children:
                children.stop()  # leaving the block waits for them
            raise
    return {name: future.state for future, name in futures.items()}


@task(cache_policy=NO_CACHE, **RETRY_WHEN_KILLED)
def color_shard(
    command: Sequence[str], folder: Path, children: Children | None, environment: Mapping[str, str]
) -> State:
    """Colour a shard in a child process. In another process than the flow's it has children of its own."""
    with nullcontext(children) if children else stopping_children() as these:
        ended = follow(these, command, folder=folder, environment=environment)
    if ended is None:
        return Cancelled(message="stopped with the flow run")
    code, printed = ended
    return failed("colorize", code, printed) if code else Completed(message=printed[-1].removeprefix("colorizer: "))
