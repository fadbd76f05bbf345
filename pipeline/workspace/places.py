"""Places for runs that leave the workspace alone. They share its DVC cache, so that nothing is made twice."""

import shutil
from pathlib import Path

from colorizer.core.errors import UserError
from pipeline.workspace.repository import git
from settings.params_file import read_params

_RAW = ("l", "ab")


def copy_workspace(folder: Path, place: Path) -> None:
    """Put every file that git tracks, or would track, into `place` as it is now; what is recorded there stays.

    `params.yaml` is left out. Raises UserError when `folder` is not in git.
    """
    kept = {"params.yaml", *(["dvc.lock"] if (place / "dvc.lock").exists() else [])}
    listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        source, target = folder / name, place / name
        if name not in kept and source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)  # perhaps a link into DVC's cache
            shutil.copy2(source, target)
    share_cache(folder, place, is_repository=False)
    link_raw_arrays(folder, place)


def share_cache(folder: Path, place: Path, *, is_repository: bool) -> None:
    """Let DVC in `place` use the cache and the remotes of `folder`."""
    from dvc.config import Config

    known = Config(str(folder / ".dvc"))
    with Config(str(place / ".dvc")).edit("local") as settings:
        settings["cache"] = {"dir": known["cache"].get("dir", str((folder / ".dvc" / "cache").resolve()))}
        settings["remote"] = known["remote"]
        settings["core"] = {"no_scm": not is_repository}
        if default := known["core"].get("remote"):
            settings["core"]["remote"] = default


def has_remote(place: Path) -> bool:
    """Whether DVC in `place` has a default remote."""
    from dvc.config import Config

    return "remote" in Config(str(place / ".dvc"))["core"]


def link_raw_arrays(folder: Path, place: Path) -> None:
    """Let `place` see raw arrays that lie in `folder` and that DVC does not bring."""
    for path in _unversioned(folder, place):
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).symlink_to((folder / path).resolve(), target_is_directory=True)


def refuse_unversioned_arrays(folder: Path, place: Path) -> None:
    """Raise UserError when raw arrays lie in `folder`, and DVC does not bring them to `place`."""
    if missing := _unversioned(folder, place):
        names = " ".join(map(str, missing))
        raise UserError(f"{missing[0]} is not under DVC, so a clone has no arrays: `dvc add {names}` and commit")


def _unversioned(folder: Path, place: Path) -> list[Path]:
    root = Path(read_params(place / "params.yaml").data.root)
    paths = [root / name for name in _RAW if not root.is_absolute()]
    return [
        path
        for path in paths
        if (folder / path).is_dir() and not (place / path).exists() and not _is_known(place, path)
    ]


def _is_known(place: Path, path: Path) -> bool:
    """Whether DVC brings it: an output of a stage, or added with `dvc add`."""
    return (place / f"{path}.dvc").exists() or f"- {path}\n" in (place / "dvc.yaml").read_text()
