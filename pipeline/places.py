"""Places for runs that leave the workspace alone. They share its DVC cache, so that nothing is made twice."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from colorizer.errors import UserError
from stages.params_file import read_params

_RAW = ("l", "ab")


def copy_workspace(folder: Path, place: Path) -> None:
    """Put every file that git tracks, or would track, into `place` as it is now; what is recorded there stays.

    `params.yaml` is left out. Raises UserError when `folder` is not in git.
    """
    kept = {"params.yaml", *(["dvc.lock"] if (place / "dvc.lock").exists() else [])}
    for name in _files(folder):
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


def link_raw_arrays(folder: Path, place: Path) -> None:
    """Let `place` see raw arrays that lie in `folder` and that DVC does not bring."""
    root = Path(read_params(folder / "params.yaml").data.root)
    for name in _RAW:
        source, target = folder / root / name, place / root / name
        if source.is_dir() and not root.is_absolute() and not target.exists() and not _is_known(place, root / name):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source.resolve(), target_is_directory=True)


def _files(folder: Path) -> Sequence[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=folder,
        text=True,
        capture_output=True,
    )
    if listed.returncode:
        raise UserError(f"{folder} is not a git repository: {listed.stderr.strip()}")
    return [name for name in listed.stdout.split("\0") if name]


def _is_known(place: Path, path: Path) -> bool:
    """Whether DVC brings it: an output of a stage, or added with `dvc add`."""
    return (place / f"{path}.dvc").exists() or f"- {path}\n" in (place / "dvc.yaml").read_text()
