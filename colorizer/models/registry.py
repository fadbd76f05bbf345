"""Finds models by their names in the registry: `generator#prod`, `generator@v1.0.0`.

The registry is git tags made by GTO, the files come from DVC's cache or remote. All three are run as commands.
"""

import json
import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from colorizer.core.errors import UserError
from colorizer.models.commands import git, refuse_subfolder, run_command

logger = logging.getLogger(__name__)

MODEL = "generator"  # its name in dvc.yaml
MODEL_PATH = Path("models/generator.safetensors")
CHECKPOINTS = Path("models/checkpoints")
FETCHED = Path("scratch/registered")


@dataclass(frozen=True, kw_only=True)
class Version:
    """A registered version of the model: its name, such as `v1.0.0`, and its git commit."""

    name: str
    commit: str


def find_model(folder: Path, name: str) -> Path:
    """Find the file of a model by a path in `folder` or a registered name. Raises UserError for an unknown name."""
    is_registered = name.startswith((f"{MODEL}#", f"{MODEL}@"))
    return fetch_registered(folder, name) if is_registered else folder / name


def models_at_hand(folder: Path) -> dict[str, str]:
    """Map the display names of the models in `folder` to the names that `find_model` takes.

    These are the chosen model, checkpoints, exports and registered versions.
    """
    paths = [MODEL_PATH, *sorted(path.relative_to(folder) for path in (folder / CHECKPOINTS).glob("*.safetensors"))]
    paths += sorted(path.relative_to(folder) for path in (folder / MODEL_PATH.parent).glob("*.onnx"))
    found = {path.stem: str(path) for path in paths[1:]}
    if (folder / MODEL_PATH).exists():
        found = {f"{MODEL} (the chosen epoch)": str(MODEL_PATH)} | found
    if (folder / ".git").exists():
        try:
            tags = list_tags(folder, f"{MODEL}@*")  # gto takes seconds
        except UserError as error:
            _warn(f"registered models are not listed: {error}")
            tags = []
        found |= {tag: tag for tag in tags if not tag.endswith("!") and f"{tag}!" not in tags}  # one with ! withdraws
    return found


@cache
def _warn(text: str) -> None:
    """Log a warning once: the page lists the models again and again."""
    logger.warning(text)


def list_tags(folder: Path, pattern: str) -> list[str]:
    """List the tags of the repository in `folder` whose names match a glob pattern, newest first."""
    return git(
        folder, "for-each-ref", "--sort=-creatordate", "--format=%(refname:lstrip=2)", f"refs/tags/{pattern}"
    ).splitlines()


def versions(folder: Path, stage: str | None = None) -> list[Version]:
    """List the registered versions in the repository in `folder`, newest first, or only the one assigned to `stage`.

    An empty list when there is none. Raises UserError when `folder` is not the top of a git repository.
    """
    refuse_subfolder(folder)
    if not list_tags(folder, f"{MODEL}@*"):  # gto would not know the model
        return []
    found = json.loads(run_command("gto", folder, "show", f"{MODEL}#{stage}" if stage else MODEL, "--json"))
    return [Version(name=entry["version"], commit=entry["commit_hexsha"]) for entry in found]


def fetch_registered(folder: Path, name: str) -> Path:
    """Fetch the file of `generator#STAGE` or `generator@VERSION` from DVC's cache or remote, and keep it.

    Raises UserError when there is no such version or its file cannot be fetched.
    """
    kind, wanted = name[len(MODEL)], name[len(MODEL) + 1 :]
    found = []
    if kind == "#" and wanted:
        found = versions(folder, stage=wanted)
    elif kind == "@":
        found = [version for version in versions(folder) if version.name == wanted]
    if not found:
        registered = ", ".join(f"{MODEL}@{version.name}" for version in versions(folder)) or "none"
        raise UserError(
            f"{name} is not registered in {folder.resolve()} (registered: {registered}); see docs/versions.md"
        )
    path = folder / FETCHED / f"{found[0].commit[:12]}.safetensors"
    if not path.exists():
        _refuse_split_index(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.stem}.partial.safetensors")
        partial.unlink(missing_ok=True)
        version = [".", str(MODEL_PATH), "--rev", found[0].commit]
        run_command("dvc", folder, "get", *version, "--out", str(partial.resolve()))
        partial.rename(path)
    return path


def _refuse_split_index(folder: Path) -> None:
    if git(folder, "rev-parse", "--shared-index-path"):
        raise UserError(
            f"git keeps the index of {folder.resolve()} in two files, for which DVC would wait for ever: join them "
            "with `git config core.splitIndex false` and `git update-index --no-split-index`"
        )
