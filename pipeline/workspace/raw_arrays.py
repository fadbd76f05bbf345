"""The raw arrays of a workspace: what they hold, as DVC hashes it, and how a copy of the workspace gets them."""

import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from colorizer.core.errors import UserError
from settings.params_file import read_params

_RAW = ("l", "ab")


def read_contents(folder: Path) -> dict[str, str]:
    """Hash the raw arrays of `folder` that no stage makes, by their path. Unchanged files are not read again.

    Arrays that DVC knows and that are not here count as DVC has them. Raises UserError when a link leads nowhere, when
    something cannot be read, and when arrays differ from what `dvc add` took: a copy would get the latter.
    """
    contents = {}
    for path in _raw_arrays(folder):
        if _is_output(folder, path):
            continue
        dvc_file, added = _added(folder, path) or (None, path)
        if (folder / path).is_symlink() and not (folder / path).exists():
            raise UserError(f"{path} is a link to {(folder / path).readlink()}, which is gone: put it back")
        if dvc_file or (folder / path).is_dir():
            contents[str(added)] = _hash(folder, added, dvc_file)
    return contents


def refuse_other_contents(copy: Path, contents: Mapping[str, str]) -> None:
    """Raise UserError when the stages in `copy` have read other raw arrays than `contents`."""
    for stage in YAML(typ="safe").load(copy / "dvc.lock")["stages"].values():
        for dependency in stage.get("deps", []):
            path, digest = dependency["path"], dependency.get("md5")
            if contents.get(path, digest) != digest:
                raise UserError(f"{path} changed during the sweep, so scores cannot be compared: start it again")


def link_raw_arrays(folder: Path, copy: Path, paths: Sequence[Path]) -> None:
    """Link these raw arrays of `folder` into `copy`."""
    for path in paths:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(copy / path, ignore_errors=True)  # what DVC brought, while it knew the arrays
        (copy / path).symlink_to((folder / path).resolve(), target_is_directory=True)


def refuse_unversioned_arrays(folder: Path, clone: Path) -> None:
    """Raise UserError when `folder` holds raw arrays that DVC does not bring to `clone`."""
    if missing := [
        path
        for path in _raw_arrays(clone)
        if not path.is_absolute()
        and (folder / path).is_dir()
        and not (clone / path).exists()
        and not _is_known(clone, path)
    ]:
        command = shlex.join(["dvc", "add", *map(str, missing)])
        raise UserError(f"{missing[0]} is not under DVC, so a clone has no arrays: `{command}` and commit")


def unversioned_arrays(folder: Path) -> list[Path]:
    """Where the raw arrays lie in `folder` that DVC does not know."""
    return [
        path
        for path in _raw_arrays(folder)
        if not path.is_absolute() and (folder / path).is_dir() and not _is_known(folder, path)
    ]


def _raw_arrays(folder: Path) -> list[Path]:
    """Raises UserError when a copy of the workspace would look for them elsewhere, outside of itself."""
    root = Path(read_params(folder / "params.yaml").data.root)
    if ".." in root.parts:
        raise UserError(f"data.root {root} leads out of the project, and of a copy elsewhere: write the whole path")
    return [root / name for name in _RAW]


def _is_known(folder: Path, path: Path) -> bool:
    """Whether DVC brings the path: an output of a stage, or added with `dvc add`."""
    return _is_output(folder, path) or _added(folder, path) is not None


def _is_output(folder: Path, path: Path) -> bool:
    """Whether a stage makes the path."""
    graph = folder / "dvc.yaml"
    stages = YAML(typ="safe").load(graph)["stages"] if graph.exists() else {}
    return str(path) in {out for stage in stages.values() for listed in stage.get("outs", []) for out in _names(listed)}


def _names(listed: str | Mapping[str, object]) -> Sequence[str]:
    return [listed] if isinstance(listed, str) else list(listed)  # a mapping gives an output options


def _added(folder: Path, path: Path) -> tuple[Path, Path] | None:
    """The file of `dvc add` and what was added: the path itself or a folder above it. None outside of the project.

    The file lies beside what was added, under any name.
    """
    for above in path.parents:
        if above.is_absolute() and not above.is_relative_to(folder.resolve()):
            break
        for file in sorted((folder / above).glob("*.dvc")):
            for out in read_dvc_file(file)["outs"] if file.is_file() else []:
                if above / out["path"] in (path, *path.parents):
                    return file.relative_to(folder), above / out["path"]
    return None


def read_dvc_file(path: Path) -> dict[str, Any]:
    """Read a file of `dvc add` or `dvc import`. Raises UserError when it is damaged, as by a full disk."""
    try:
        content = YAML(typ="safe").load(path)
        if all("path" in out for out in content["outs"]):
            return content
    except (YAMLError, ValueError, TypeError, KeyError):
        pass
    raise UserError(f"{path} is damaged: get it back with git, or add again what it stands for")


def _hash(folder: Path, path: Path, dvc_file: Path | None) -> str:
    """DVC's hash of a folder. Raises UserError when it cannot be read, or is not what was added."""
    from dvc.dependency import loads_from
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.stage import Stage

    try:
        with Repo(str(folder)) as repo:
            if dvc_file is None:
                [found] = loads_from(Stage(repo), [str(folder / path)])
                return found.get_hash().value
            [stage] = repo.stage.load_file(str(folder / dvc_file))
            [out] = [out for out in stage.outs if Path(out.fs_path) == folder.resolve() / path]
            if (folder / path).exists() and out.get_hash() != out.hash_info:
                name = shlex.quote(str(dvc_file))
                raise UserError(
                    f"{path} is not what {dvc_file} names: take it with `dvc commit --force {name}`, or go back with "
                    f"`dvc checkout {name}`"
                )
            return out.hash_info.value
    except (OSError, UnicodeError, DvcException) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
