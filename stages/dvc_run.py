"""What a stage can know about the DVC that runs it."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from colorizer.errors import UserError


def project_root() -> Path:
    """The project's folder, also from inside a temporary copy of `dvc exp run --temp` or `dvc queue start`."""
    here = Path.cwd()
    for folder in here.parents:
        if (folder / ".dvc/tmp/exps") in here.parents:
            return folder
    return here


def is_cached(paths: Iterable[Path]) -> bool:
    """Whether DVC has taken all these files into its cache; of a stage started by hand, True."""
    if "DVC_STAGE" not in os.environ:
        return True
    from dvc.repo import Repo  # costs a second, and is seldom asked

    cache = Repo().cache.local
    return all(cache.exists(_md5(path)) for path in paths)


def orphan_check() -> Callable[[], None]:
    """A function that raises UserError once the DVC that started this process is gone."""
    parent = os.getppid()

    def check() -> None:
        if "DVC_STAGE" in os.environ and os.getppid() != parent:
            raise UserError(
                f"the dvc that started this (process {parent}) is gone: stopping; `dvc repro` goes on from the last "
                "finished epoch"
            )

    return check


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
