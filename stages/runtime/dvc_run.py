"""Finds the DVC process that runs this stage, and whether DVC's cache holds given files."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import psutil

from colorizer.core.errors import UserError
from colorizer.epochs.lock import is_alive
from colorizer.training.distributed import is_rank


def is_cached(paths: Iterable[Path]) -> bool:
    """True if DVC's cache holds all these files, or if the stage was started by hand."""
    if "DVC_STAGE" not in os.environ:
        return True
    from dvc.repo import Repo  # costs a second, and is seldom asked

    cache = Repo().cache.local
    return all(path.is_file() and cache.exists(_md5(path)) for path in paths)


def starter() -> psutil.Process | None:
    """Return the process with which this stage has to end: the DVC that runs it, or else the launcher of its ranks.

    None for a single process that was started by hand. Raises UserError when that DVC is gone already.
    """
    if "DVC_STAGE" not in os.environ:
        return psutil.Process().parent() if is_rank() else None
    try:
        parent = psutil.Process().parent()
        while parent is not None and _is_shell_of_stage(parent):
            parent = parent.parent()
    except psutil.Error:  # some systems hide other processes
        return None
    if parent is None or (parent.pid == 1 and not _runs_dvc(parent)):
        raise UserError("the dvc that started this is gone; run `dvc repro` again")
    return parent


def stop_if_orphaned(parent: psutil.Process | None) -> None:
    """Raise UserError once the process that started this one is gone."""
    if parent is not None and not is_alive(parent):
        who = "dvc" if "DVC_STAGE" in os.environ else "process"
        raise UserError(
            f"the {who} that started this (process {parent.pid}) is gone: stopping; `dvc repro` resumes after the last "
            "finished epoch"
        )


def _runs_dvc(process: psutil.Process) -> bool:
    """True if the process is a dvc, or train_gan.py, which is one: in a container it may have the number of init."""
    return any(name in argument for argument in process.cmdline() for name in ("dvc", "train_gan"))


def _is_shell_of_stage(process: psutil.Process) -> bool:
    """True if the process is the shell in which DVC runs the stage: sh -c "python -m stages.train"."""
    name = os.environ["DVC_STAGE"].rpartition(":")[2]
    return f"stages.{name}" in "".join(process.cmdline()[-1:]).split()


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
