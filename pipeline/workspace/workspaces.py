"""Copies of the workspace, for runs that leave the workspace itself alone. They share its DVC cache.

DVC's settings are read by its `Config` class: 0.5 s for all of them in this process, where each of some five commands
(`dvc cache dir`, `dvc remote list`, `dvc config`) takes 1 s, and a sweep needs them for every copy.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from colorizer.core.files import atomic_write
from colorizer.models.commands import git
from pipeline.workspace.raw_arrays import link_raw_arrays, unversioned_arrays
from settings.paths import LOGS

_LIST = ("ls-files", "-z", "--exclude-standard")


def copy_workspace(folder: Path, copy: Path) -> None:
    """Make `copy` hold every file that git tracks, or would track, and links to arrays that DVC does not know.

    What else git would track in `copy` is removed; a dvc.lock that is there stays. `params.yaml` is not copied. Raises
    UserError when `folder` is not in git.
    """
    copy.mkdir(parents=True, exist_ok=True)
    _remove_links(copy)  # they may lead to the arrays of another workspace
    linked = unversioned_arrays(folder)
    there = (f"--git-dir={git(folder, 'rev-parse', '--absolute-git-dir')}", f"--work-tree={copy.resolve()}")
    names = {
        name
        for name in _listed(git(folder, *_LIST, "--cached", "--others"))
        if (folder / name).is_file() and not any(path in Path(name).parents for path in linked)
    }
    kept = {"params.yaml", *(["dvc.lock"] if (copy / "dvc.lock").exists() else [])}
    gone = {*_listed(git(folder, *_LIST, "--cached")), *_listed(git(copy, *there, *_LIST, "--others"))} - names - kept
    for name in gone | names - kept:
        _remove(copy, Path(name))
    for name in names - kept:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / name, copy / name)
    share_cache(folder, copy, is_repository=False)
    share_logs(folder, copy)
    link_raw_arrays(folder, copy, linked)


def _listed(printed: str) -> list[str]:
    return list(filter(None, printed.split("\0")))


def _remove(copy: Path, name: Path) -> None:
    """Remove what stands in the place of a file: the file, a folder, or a file where a folder above it has to be."""
    for path in (copy / name, *(copy / above for above in name.parents[:-1])):
        if path.is_symlink() or path.is_file():
            path.unlink()  # perhaps a link into DVC's cache
        elif path == copy / name and path.is_dir():
            shutil.rmtree(path)


def _remove_links(copy: Path) -> None:
    """Remove every link that does not lead to a file: DVC may have made outputs as links to files in its cache."""
    for parent, folders, files in os.walk(copy):
        for path in (Path(parent, name) for name in [*folders, *files]):
            if path.is_symlink() and not path.is_file():
                path.unlink()


def share_logs(folder: Path, copy: Path) -> None:
    """Let a training in `copy` write its logs to those of `folder`, where its curves are beside those of others."""
    logs = copy / LOGS
    if logs.is_dir() and not logs.is_symlink():  # of an earlier version of this project
        shutil.rmtree(logs)
    (folder / LOGS).mkdir(exist_ok=True)
    if not logs.is_symlink():
        logs.symlink_to(os.path.relpath(folder.resolve() / LOGS, copy.resolve()), target_is_directory=True)


def share_cache(folder: Path, copy: Path, *, is_repository: bool) -> None:
    """Let DVC in `copy` use the cache and the remotes of `folder`.

    Paths inside the project are written relative to the copy, so that a project that was copied or moved uses its own.
    """
    from configobj import ConfigObj
    from dvc.config import Config
    from dvc.config_schema import RelPath

    known = Config(str(folder.resolve() / ".dvc"))
    target = copy.resolve() / ".dvc"

    def from_here(values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: os.path.relpath(value, target) if isinstance(value, RelPath) else value
            for key, value in values.items()
        }

    settings = ConfigObj(encoding="utf-8")  # DVC writes ASCII
    settings["core"] = {"no_scm": not is_repository}
    if default := known["core"].get("remote"):
        settings["core"]["remote"] = default
    own = RelPath(folder.resolve() / ".dvc" / "cache")
    settings["cache"] = from_here({"dir": known["cache"].get("dir", own)})
    for name, remote in known["remote"].items():
        settings[f'remote "{name}"'] = from_here(remote)
    with atomic_write(target / "config.local") as partial:
        partial.touch(mode=0o600)  # a remote may hold secrets
        with partial.open("wb") as file:
            settings.write(file)
    (target / "tmp" / "rwlock").unlink(missing_ok=True)  # what a DVC that was killed here has left behind
