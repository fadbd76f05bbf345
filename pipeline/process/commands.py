"""Run commands as children of a flow run; each line that they print goes to the log of the calling task or flow."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled, Completed, Failed, State

from colorizer.core.errors import UserError
from colorizer.models.commands import add_advice, reason_in
from pipeline.process.children import Children, StoppedError
from pipeline.process.dvc_command import DVC

_SECONDS_BEFORE_RETRIES = (2, 5, 10)  # cancelling waits for the end of one
_KILLED = "Killed"
_LAST_LINES = 12
TOLD_BELOW = ". Its last lines:"  # ends the first line of a failed task's message

# Of a task whose state may be that of `failed`.
RETRY_WHEN_KILLED: Mapping[str, Any] = {
    "retries": len(_SECONDS_BEFORE_RETRIES),
    "retry_delay_seconds": list(_SECONDS_BEFORE_RETRIES),
    "retry_condition_fn": lambda task, run, state: state.name == _KILLED,
}

# What DVC advises after every stage.
_ADVICE = ("To track the changes with git", "git add ", "To enable auto staging", "dvc config core", "Use `dvc push`")


def follow(
    children: Children,
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str] = {},
    on_tick: Callable[[], None] = lambda: None,
    edit: Callable[[str], str] = str,
    lock: Path | None = None,
) -> tuple[int, list[str]] | None:
    """Run a command in `folder` and return its exit code and lines, or None when the run was stopped.

    `on_tick` is called every half second, `edit` gives what takes the place of a line.
    What they raise stops the command. With a `lock` the command begins when no process of an earlier one, of a killed
    run for example, holds that file.
    """
    log = get_run_logger()
    child = children.start(command, folder=folder, environment=environment, lock=lock)
    if child is None:
        return None
    printed = []
    try:
        for line in child.lines(tick=0.5):
            if line is None:
                on_tick()
            elif line and not line.strip().startswith(_ADVICE):
                printed.append(edit(line))
                log.info(printed[-1])
    except BaseException:
        child.stop()
        raise
    finally:
        code = children.wait(child)
    return None if child.was_stopped else (code, printed)


def failed(stage: str, code: int, printed: Sequence[str]) -> State:
    """Build the state of a task whose `dvc repro` failed.

    `code` is that of dvc; dvc prints the exit code of the stage.
    """
    last_lines = [add_advice(line) if line.startswith("ERROR:") else line for line in printed[-_LAST_LINES:]]
    for line in last_lines:
        if told := re.search(r"exited with (-?\d+)", line):
            code = int(told[1])
    signal = -code if code < 0 else code - 128 if 128 < code <= 128 + 64 else 0
    how = f"was killed by signal {signal}" if signal else f"failed with exit code {code}"
    message = "\n".join([f"{stage} {how}{TOLD_BELOW}", *last_lines])
    get_run_logger().error("%s %s", stage, how)
    return Failed(name=_KILLED if signal else "Failed", message=message)


def run_dvc(children: Children, folder: Path, command: str, *options: str) -> None:
    """Run a DVC command such as `pull` by `run_command`."""
    run_command(children, folder, f"dvc {command}", [*DVC, command, *options])


def run_command(children: Children, folder: Path, name: str, command: Sequence[str]) -> None:
    """Run a command in `folder` as a task of that name. Raises UserError when it fails, StoppedError when stopped."""
    named = _run_command.with_options(name=name, task_run_name=name)
    state = named(children, folder, name, command, return_state=True)
    if not state.is_completed():
        raise (StoppedError if state.is_cancelled() else UserError)(state.message or "")


@task(cache_policy=NO_CACHE)
def _run_command(children: Children, folder: Path, name: str, command: Sequence[str]) -> State:
    ended = follow(children, command, folder=folder)
    if ended is None:
        return Cancelled(message="stopped with the flow run")
    code, printed = ended
    if code:
        return Failed(message=f"{name} failed: {reason_in(printed)}")
    return Completed()
