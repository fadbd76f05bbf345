"""The flow that colours a folder of photographs in shards, on this machine or on a Dask cluster."""

import sys
from pathlib import Path
from typing import Annotated

from prefect import flow, get_run_logger
from prefect.states import Completed, State
from pydantic import Field

from colorizer.core.errors import UserError
from colorizer.models.registry import MODEL_PATH
from colorizer.photographs.files import Format
from colorizer.photographs.jobs import plan_jobs
from pipeline.flows.pieces import color_pieces, list_pieces, model_file, unfinished
from pipeline.process.flow_run import end_in_one_line, end_without_server, holding
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
            command += ["--model", str(model_file(folder, model)), "--strength", str(strength)]
            names = [f"{number}/{num_shards}" for number in range(1, num_shards + 1)]
            commands = {f"shard {name}": [*command, "--shard", name] for name in names}
            states = color_pieces(runner, commands, None if dask else children, threads_per_task(dask, at_once))
            end_without_server()
    except UserError as error:
        return end_in_one_line(error)
    list_pieces(states, "shards")
    return unfinished(states, "shards") or Completed(message=f"{count} photographs are coloured in {out}")
