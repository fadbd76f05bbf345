"""Colours many pieces, shards of a folder or segments of a film, with a child process for each."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect.states import Cancelled, Completed, Failed, State
from prefect.task_runners import TaskRunner

from colorizer.core.errors import UserError
from colorizer.models.registry import find_model
from pipeline.process.children import Children
from pipeline.process.commands import RETRY_WHEN_KILLED, failed, follow
from pipeline.process.flow_run import STOPPED, stopping_children


def model_file(folder: Path, model: str) -> Path:
    """Return a model's file, by its path or registered name. Raises UserError when it is missing."""
    path = find_model(folder, model)
    if not path.exists():
        raise UserError(f"{path} is missing: train a model with `make repro`, or name another")
    return path


def color_pieces(
    task_runner: TaskRunner[Any],
    commands: Mapping[str, Sequence[str]],
    children: Children | None,
    environment: Mapping[str, str],
) -> dict[str, State]:
    """Run the command of every piece in a task of its name; the final state of each.

    children: those of this process, which run the commands; None on a cluster, where each task has its own.
    """
    log = get_run_logger()
    with task_runner as runner:
        futures = {}
        for name, command in commands.items():
            parameters = {
                "command": command,
                "folder": Path.cwd(),
                "children": children,
                "environment": environment,
            }
            futures[runner.submit(color_piece.with_options(task_run_name=name), parameters)] = name
        try:
            for done, future in enumerate(as_completed(list(futures)), start=1):
                future.wait()
                log.info("%d of %d: %s %s", done, len(commands), futures[future], future.state.name)
        except BaseException:
            if children:
                children.stop()  # leaving the block waits for them
            raise
    states = {name: future.state for future, name in futures.items()}
    return {name: states[name] for name in commands}


@task(cache_policy=NO_CACHE, **RETRY_WHEN_KILLED)
def color_piece(
    command: Sequence[str], folder: Path, children: Children | None, environment: Mapping[str, str]
) -> State:
    """Colour a piece in a child process. In another process than the flow's it has children of its own."""
    with nullcontext(children) if children else stopping_children() as these:
        ended = follow(these, command, folder=folder, environment=environment)
    if ended is None:
        return Cancelled(message="stopped with the flow run")
    code, printed = ended
    return failed("colorize", code, printed) if code else Completed(message=printed[-1].removeprefix("colorizer: "))


def list_pieces(states: Mapping[str, State], kind: str) -> None:
    """Show what became of every piece, in an artifact of the flow run: `shards` or `segments`."""
    rows = [
        {kind.removesuffix("s"): name.split()[-1], "state": state.name, "result": state.message}
        for name, state in states.items()
    ]
    create_table_artifact(rows, key=kind, description=f"What became of every {kind.removesuffix('s')}")


def unfinished(states: Mapping[str, State], kind: str) -> State | None:
    """Return the state of a flow run in which pieces were stopped or failed; None when all are coloured."""
    if any(state.is_cancelled() for state in states.values()):
        return Cancelled(message=STOPPED)
    if wrong := [state for state in states.values() if not state.is_completed()]:
        return Failed(message=f"{len(wrong)} of {len(states)} {kind} failed: {wrong[0].message}")
    return None
