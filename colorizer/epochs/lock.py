"""One process at a time in a folder, and waiting for one that is left over from a run that was killed."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import psutil

from colorizer.core.errors import UserError
from colorizer.core.files import write_text

logger = logging.getLogger(__name__)

SECONDS_FOR_AN_ORPHAN = 60


@contextmanager
def held(folder: Path, *, started_by: psutil.Process | None) -> Iterator[None]:
    """Hold a folder until the block ends, so that no other process trains in it.

    Raises UserError when another process holds it. An orphan, a process whose starter is gone, is waited for: it ends
    by itself.
    """
    lock, owner = filelock.FileLock(folder / "lock"), folder / "owner.json"
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        process, orphaned = _read_owner(owner)
        who, end = (f"process {process}", f", or end it (kill {process})") if process else ("another process", "")
        refusal = f"{who} is training this already, in {folder}: wait for it{end}"
        if not orphaned:
            raise UserError(refusal) from None
        logger.warning("process %d is left over from a run that was killed; waiting for it to stop", process)
        try:
            lock.acquire(timeout=SECONDS_FOR_AN_ORPHAN)
        except filelock.Timeout:
            raise UserError(refusal) from None
    try:
        write_text(owner, json.dumps({"process": os.getpid(), "started_by": started_by and started_by.pid}))
        yield
    finally:
        lock.release()


def is_alive(process: psutil.Process) -> bool:
    """True if the process runs and is not a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _read_owner(path: Path) -> tuple[int, bool]:
    """The process that holds the folder, and whether what started it is gone."""
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        process, started_by = owner["process"], owner["started_by"]
    except (OSError, ValueError, KeyError):
        return 0, False
    if not _is_running(process):
        return 0, False  # the owner before this one
    return process, started_by is not None and not _is_running(started_by)


def _is_running(process: int) -> bool:
    try:
        return is_alive(psutil.Process(process))
    except psutil.NoSuchProcess:
        return False
