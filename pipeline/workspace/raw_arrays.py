"""The raw arrays of a workspace: what they hold, as DVC hashes it, and how a copy of the workspace gets them."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ruamel.yaml import YAML

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
        added = _added(folder, path)
        target, file = added or path, folder / (added or path)
        if (folder / path).is_symlink() and not (folder / path).exists():
            raise UserError(f"{path} is a link to {(folder / path).readlink()}, which is gone: put it back")
        if added or file.is_dir():
            contents[str(target)] = _hash(folder, target, is_added=added is not None)
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
        names = " ".join(map(str, missing))
        raise UserError(f"{missing[0]} is not under DVC, so a clone has no arrays: `dvc add {names}` and commit")


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
    graph = folder / "dvc.yaml"
    return graph.exists() and f"- {path}\n" in graph.read_text(encoding="utf-8")


def _added(folder: Path, path: Path) -> Path | None:
    """The path itself, or the folder above it, that was added with `dvc add`; None outside of the project."""
    if path.is_absolute() and not path.is_relative_to(folder.resolve()):
        return None
    return next((added for added in (path, *path.parents) if (folder / f"{added}.dvc").is_file()), None)


def _hash(folder: Path, path: Path, *, is_added: bool) -> str:
    """DVC's hash of a folder. Raises UserError when it cannot be read, or is not what was added."""
    from dvc.dependency import loads_from
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.stage import Stage

    try:
        with Repo(str(folder)) as repo:
            if not is_added:
                [found] = loads_from(Stage(repo), [str(folder / path)])
                return found.get_hash().value
            [stage] = repo.stage.load_file(str(folder / f"{path}.dvc"))
            [out] = stage.outs
            if (folder / path).exists() and out.get_hash() != out.hash_info:
                raise UserError(
                    f"{path} is not what {path}.dvc names: take it with `dvc add {path}`, or go back with "
                    f"`dvc checkout {path}`"
                )
            return out.hash_info.value
    except (OSError, UnicodeError, DvcException) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
