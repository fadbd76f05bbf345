"""Copies of the workspace, for runs that leave the workspace itself alone. They share its DVC cache.

DVC's settings are read and written by its `Config` class: 0.5 s for all of them in this process, where each of some
five commands (`dvc cache dir`, `dvc remote list`, `dvc config`) takes 1 s, and a sweep needs them for every copy.
"""

import shutil
from pathlib import Path

from colorizer.core.errors import UserError
from pipeline.workspace.repository import git
from settings.params_file import read_params

_RAW = ("l", "ab")


def copy_workspace(folder: Path, copy: Path) -> None:
    """Copy every file that git tracks, or would track, to the folder `copy`; a dvc.lock that is there stays.

    `params.yaml` is not copied. Raises UserError when `folder` is not in git.
    """
    kept = {"params.yaml", *(["dvc.lock"] if (copy / "dvc.lock").exists() else [])}
    listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        source, target = folder / name, copy / name
        if name not in kept and source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)  # perhaps a link into DVC's cache
            shutil.copy2(source, target)
    share_cache(folder, copy, is_repository=False)
    link_raw_arrays(folder, copy)


def share_cache(folder: Path, copy: Path, *, is_repository: bool) -> None:
    """Let DVC in `copy` use the cache and the remotes of `folder`."""
    from dvc.config import Config

    known = Config(str(folder / ".dvc"))
    with Config(str(copy / ".dvc")).edit("local") as settings:
        settings["cache"] = {"dir": known["cache"].get("dir", str((folder / ".dvc" / "cache").resolve()))}
        settings["remote"] = known["remote"]
        settings["core"] = {"no_scm": not is_repository}
        if default := known["core"].get("remote"):
            settings["core"]["remote"] = default


def has_remote(copy: Path) -> bool:
    """Whether DVC in `copy` has a default remote."""
    from dvc.config import Config

    return "remote" in Config(str(copy / ".dvc"))["core"]


def link_raw_arrays(folder: Path, copy: Path) -> None:
    """Link the raw arrays of `folder` into `copy`, unless DVC brings them there."""
    for path in _unversioned(folder, copy):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).symlink_to((folder / path).resolve(), target_is_directory=True)


def refuse_unversioned_arrays(folder: Path, copy: Path) -> None:
    """Raise UserError when `folder` holds raw arrays that DVC does not bring to `copy`."""
    if missing := _unversioned(folder, copy):
        names = " ".join(map(str, missing))
        raise UserError(f"{missing[0]} is not under DVC, so a clone has no arrays: `dvc add {names}` and commit")


def _unversioned(folder: Path, copy: Path) -> list[Path]:
    root = Path(read_params(copy / "params.yaml").data.root)
    paths = [root / name for name in _RAW if not root.is_absolute()]
    return [
        path for path in paths if (folder / path).is_dir() and not (copy / path).exists() and not _is_known(copy, path)
    ]


def _is_known(copy: Path, path: Path) -> bool:
    """Whether DVC brings the path: an output of a stage, or added with `dvc add`."""
    return (copy / f"{path}.dvc").exists() or f"- {path}\n" in (copy / "dvc.yaml").read_text(encoding="utf-8")
