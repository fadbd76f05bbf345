"""What every flow does around its work: lock its folder, stop its children, end in one clear line."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import filelock
import httpx
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.runtime import deployment, flow_run
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Failed, State

from colorizer.core.errors import UserError
from pipeline.process.children import Children, StoppedError
from pipeline.process.server import LOOPBACK_NAMES, answers

WORKSPACE = "workspace:"  # begins the tag of deployments, and so of their runs, that tells whose they are
STOPPED = "stopped; the next run goes on from what is finished"
_SECONDS_BETWEEN_LOOKS = 1
_SECONDS_FOR_A_RESTART = 10


def workspace_tag(folder: Path) -> str:
    """Return the tag `workspace:PATH`, with this machine's name before the path if the server may serve others too."""
    host = urlsplit(str(get_current_settings().api.url)).hostname
    machine = "" if host in LOOPBACK_NAMES else f"{socket.gethostname()}:"
    return f"{WORKSPACE}{machine}{folder.resolve()}"


@contextmanager
def holding(folder: Path) -> Iterator[Children]:
    """Lock a folder, the workspace's scratch/ for example, until the block ends. Gives the children of this run.

    Raises UserError when the run is of another workspace's deployment.

    They are stopped when the run is cancelled and when the block is left in whatever way, before another run can begin.
    While another run holds the folder, a deployed run waits for its turn; one started by hand raises UserError.
    Prefect's concurrency limits do not work here: a run that pauses for an answer would lose its slot and be ended.
    """
    _refuse_run_of_other_workspace(workspace_tag(Path.cwd()))
    with stopping_children() as children:
        lock = _take(folder, children)
        try:
            yield children
        finally:
            children.stop()
            lock.release()


@contextmanager
def stopping_children() -> Iterator[Children]:
    """Children of this run, or of its task in another process: stopped when the run is cancelled, and at the end."""
    children, over = Children(), threading.Event()
    threading.Thread(target=_stop_when_cancelled, args=(UUID(flow_run.get_id()), children, over), daemon=True).start()
    try:
        yield children
    finally:
        children.stop()
        over.set()


def _refuse_run_of_other_workspace(here: str) -> None:
    tags = [tag for tag in flow_run.get_tags() if tag.startswith(WORKSPACE)]
    if tags and here not in tags:
        raise UserError(f"this run is meant for {tags[0]}, and this is {here}: nothing was done")


def _take(folder: Path, children: Children) -> filelock.BaseFileLock:
    folder.mkdir(parents=True, exist_ok=True)
    owner, lock = folder / "run.owner", filelock.FileLock(folder / "run.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        process = owner.read_text(encoding="utf-8") if owner.exists() else "unknown"
        under_way = f"another run (process {process}) is under way and holds {lock.lock_file}"
        if deployment.get_id() is None:
            raise UserError(f"{under_way}: wait for it or cancel it, then start again") from None
        get_run_logger().info("%s; waiting for its end", under_way)
        _wait_for(lock, children)
    owner.write_text(str(os.getpid()), encoding="utf-8")
    return lock


def _wait_for(lock: filelock.BaseFileLock, children: Children) -> None:
    try:
        lock.acquire(poll_interval=0.5, cancel_check=lambda: children.are_stopped)
    except filelock.Timeout:
        raise StoppedError("cancelled while waiting for another run") from None


def end_in_one_line(error: UserError) -> State:
    """Turn an error into the final state of the flow run: cancelled if it was stopped, else failed, and logged."""
    if isinstance(error, StoppedError):
        return Cancelled(message=STOPPED)
    get_run_logger().error(str(error))
    return Failed(message=str(error))


def end_without_server() -> None:
    """End this process if the server has gone and does not come back. To be called when the work is done.

    There is nobody to report to, and Prefect would go on for minutes trying.
    """
    deadline = time.monotonic() + _SECONDS_FOR_A_RESTART
    while not answers(str(get_current_settings().api.url)):
        if time.monotonic() > deadline:
            print("pipeline: the Prefect server went away; dvc.lock records the stages that ended", file=sys.stderr)
            sys.stderr.flush()
            os._exit(1)
        time.sleep(1)


def _stop_when_cancelled(run: UUID, children: Children, over: threading.Event) -> None:
    """Stop the children once the run is cancelled or has ended: poll, for Prefect signals only runs that it started."""
    with get_client(sync_client=True) as client:
        while not over.wait(_SECONDS_BETWEEN_LOOKS):
            with suppress(httpx.HTTPError, PrefectException):
                state = client.read_flow_run(run).state
                if state and (state.is_cancelling() or state.is_final()):  # its process may be another than this one
                    children.stop()
                    return
