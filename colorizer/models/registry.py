"""Finds models by their names in the registry: `generator#prod`, `generator@v1.0.0`.

The registry is git tags made by GTO, the files come from DVC's cache or remote. All three are run as commands.
"""

import json
import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from colorizer.core.errors import UserError
from colorizer.models.commands import git, refuse_subfolder, run_command

logger = logging.getLogger(__name__)

MODEL = "generator"  # its name in dvc.yaml
MODEL_PATH = Path("models/generator.safetensors")
CARD_PATH, EXAMPLES_PATH = Path("models/README.md"), Path("models/examples.png")
CHECKPOINTS = Path("models/checkpoints")
FETCHED = Path("scratch/registered")


@dataclass(frozen=True, kw_only=True)
class Version:
    """A registered version of the model: its name, such as `v1.0.0`, and its git commit."""

    name: str
    commit: str


def find_model(folder: Path, name: str) -> Path:
    """Find the file of a model by a path in `folder` or a registered name.

    Raises UserError for an unknown name, and for a missing file if `folder` is not a project, where nothing trains one.
    """
    if not (folder / "dvc.yaml").exists() and (is_registered(name) or not (folder / name).exists()):
        raise UserError(
            f"no model {name} in {folder.resolve()}, which is not a project's folder: give the file of a model, for "
            "example --model FILE"
        )
    return _fetch(folder, _find_version(folder, name), MODEL_PATH) if is_registered(name) else folder / name


def find_model_and_card(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """Find a model as `find_model` does, with the card and the card's picture that stage evaluate wrote beside it.

    Raises UserError when they are missing.
    """
    if is_registered(name):
        version = _find_version(folder, name)
        if CARD_PATH.as_posix() not in git(folder, "show", f"{version.commit}:dvc.lock"):
            raise UserError(f"{name} has no card: it was registered before models had one")
        return (
            _fetch(folder, version, MODEL_PATH),
            _fetch(folder, version, CARD_PATH),
            _fetch(folder, version, EXAMPLES_PATH),
        )
    model = folder / name
    card, examples = model.parent / CARD_PATH.name, model.parent / EXAMPLES_PATH.name
    for path in (model, card, examples):
        if not path.is_file():
            told = name if path == model else f"{name} has no card: {path.name} beside it"
            raise UserError(
                f"{told} is missing; `dvc repro` writes the card of {MODEL_PATH}, and only that can be published"
            )
    return model, card, examples


def pin_start_model(folder: Path, name: str) -> str:
    """Find the version that a registered name stands for now: `generator#prod` -> `generator@v1.0.0`.

    It is for `train.start_from`. A path stays as it is. Raises UserError when there is no such version, or no such file
    in `folder` and DVC knows of none.
    """
    if is_registered(name):
        return f"{MODEL}@{_find_version(folder, name).name}"
    tracked = any((folder / f"{path}.dvc").is_file() for path in (Path(name), *Path(name).parents[:-1]))
    if not (folder / name).is_file() and not tracked:
        raise UserError(
            f"{name} is missing, which train.start_from names: put the file there (`dvc add {name}` shares it)"
        )
    return name


def is_registered(name: str) -> bool:
    """Return whether a name is that of a registered model, and not a path."""
    return name.startswith((f"{MODEL}#", f"{MODEL}@"))


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


def _find_version(folder: Path, name: str) -> Version:
    """Find `generator#STAGE` or `generator@VERSION`; raises UserError when there is no such version."""
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
    return found[0]


def _fetch(folder: Path, version: Version, tracked: Path) -> Path:
    """Fetch a file of a version from DVC's cache or remote, and keep it; raises UserError when that fails."""
    path = folder / FETCHED / f"{version.commit[:12]}{tracked.suffix}"
    if not path.exists():
        _refuse_split_index(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent) as temporary:  # several processes may fetch it at the same time
            partial = Path(temporary).resolve() / path.name
            run_command("dvc", folder, "get", ".", str(tracked), "--rev", version.commit, "--out", str(partial))
            partial.replace(path)
    return path


def _refuse_split_index(folder: Path) -> None:
    if git(folder, "rev-parse", "--shared-index-path"):
        raise UserError(
            f"git keeps the index of {folder.resolve()} in two files, for which DVC would wait for ever: join them "
            "with `git config core.splitIndex false` and `git update-index --no-split-index`"
        )
