"""The flow that colours a film in segments, on this machine or on a Dask cluster, and joins them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from prefect import flow, get_run_logger
from prefect.states import Cancelled, Completed, Failed, State
from pydantic import Field

from colorizer.core.errors import UserError
from colorizer.film.segments import open_source
from colorizer.models.registry import MODEL_PATH
from colorizer.video.files import is_film
from colorizer.video.parts import keep_plan
from pipeline.flows.pieces import color_piece, color_pieces, list_pieces, model_file, unfinished
from pipeline.process.children import Children
from pipeline.process.flow_run import STOPPED, end_in_one_line, end_without_server, holding
from pipeline.process.task_runners import task_runner, threads_per_task


@flow
def colorize_film(
    film: Annotated[str, Field(min_length=1)],
    out: Annotated[str, Field(min_length=1)],
    model: str = str(MODEL_PATH),
    strength: Annotated[float, Field(ge=0, le=4)] = 1.0,
    codec: str | None = None,
    quality: int | None = None,
    frames_per_second: Annotated[float | None, Field(ge=1, le=1000)] = None,
    at_once: Annotated[int, Field(ge=1)] = 1,
    dask: str | None = None,
) -> State:
    """Colour a film in segments and join them. If it is started again, it skips those that are finished.

    Args:
        film: a file, or a folder of its frames
        out: the coloured film; or a folder for the coloured frames, if `film` is one
        model: a file, or a registered name, `generator#prod` for example
        strength: factor on the chroma; 0 is grey
        codec: of the coloured film: libx264, libx265, libsvtav1, libvpx-vp9 or ffv1
        quality: constant rate factor of the codec; smaller is better and larger
        frames_per_second: of a film that is made of a folder of frames
        at_once: how many segments at the same time; they share the processor's cores
        dask: run the tasks on a Dask cluster: the address of its scheduler, `tcp://10.0.0.1:8786` for example, whose
            workers see the same folders; or `local` for `at_once` worker processes on this machine
    """
    folder = Path.cwd()
    try:
        with holding(folder / "scratch" / "colorize") as children:
            runner = task_runner(dask, at_once)
            num_segments = plan_segments(folder / film, folder / out)
            get_run_logger().info("%s in %d segments", film, num_segments)
            command = [sys.executable, "-m", "colorizer", "colorize", film, "--out", out]
            command += ["--model", str(model_file(folder, model)), "--strength", str(strength)]
            given = {"--codec": codec, "--quality": quality, "--frames-per-second": frames_per_second}
            command += [text for name, value in given.items() if value is not None for text in (name, str(value))]
            numbers = [str(number) for number in range(1, num_segments + 1)]
            commands = {f"segment {number}": [*command, "--segment", number] for number in numbers}
            environment = threads_per_task(dask, at_once)
            states = color_pieces(runner, commands, None if dask else children, environment)
            list_pieces(states, "segments")
            state = unfinished(states, "segments") or _join(command, children)
            end_without_server()
    except UserError as error:
        return end_in_one_line(error)
    return state


def plan_segments(film: Path, out: Path) -> int:
    """Divide a film into segments, and keep the plan for the children that colour them; the number of segments.

    Raises UserError when `out` is a film that exists, and when nothing in the film can be coloured.
    """
    if is_film(out) and out.exists():
        raise UserError(f"{out} exists: give another name, or remove it")
    plan = open_source(film, out, 24).plan
    if not film.is_dir():
        keep_plan(out, plan)
    return len(plan.segments)


def _join(command: Sequence[str], children: Children) -> State:
    """Join the segments: the command without --segment finds all of them. The final state of the flow run."""
    state = color_piece.with_options(task_run_name="join")(command, Path.cwd(), children, {}, return_state=True)
    if state.is_completed():
        return Completed(message=state.message)
    return Cancelled(message=STOPPED) if state.is_cancelled() else Failed(message=state.message)
