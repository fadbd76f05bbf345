"""What every flow of this pipeline does around its work: hold its place, stop its children, end in one clear line."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import filelock
import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run

from colorizer.errors import UserError
from pipeline.children import Children

_SECONDS_BETWEEN_LOOKS = 2


@contextmanager
def own_children() -> Iterator[Children]:
    """Children that are stopped when the block is left by an exception, a signal, or because the run was cancelled."""
    children = Children()
    over = threading.Event()
    threading.Thread(target=_stop_when_cancelled, args=(UUID(flow_run.get_id()), children, over), daemon=True).start()
    try:
        yield children
    except BaseException:
        children.stop()
        raise
    finally:
        over.set()


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold a workspace until the block ends. Raises UserError when another run holds it."""
    lock, owner = folder / "scratch" / "run.lock", folder / "scratch" / "run.owner"
    lock.parent.mkdir(exist_ok=True)
    try:
        with filelock.FileLock(lock, timeout=0):
            owner.write_text(str(os.getpid()))
            yield
    except filelock.Timeout:
        process = owner.read_text() if owner.exists() else "unknown"
        raise UserError(
            f"another run (process {process}) is under way in {folder}: wait for it or cancel it, then start this again"
        ) from None


def _stop_when_cancelled(run: UUID, children: Children, over: threading.Event) -> None:
    """A runner signals its own runs; a run that was started by hand has nobody to tell it."""
    with get_client(sync_client=True) as client:
        while not over.wait(_SECONDS_BETWEEN_LOOKS):
            with suppress(httpx.HTTPError, PrefectException):
                state = client.read_flow_run(run).state
                if state and (state.is_cancelling() or state.is_cancelled()):
                    children.stop()
                    return
