"""Finds models by their names in the registry: `generator#prod`, `generator@v1.0.0`.

The registry is git tags made by GTO, the files come from DVC's cache or remote. All three are run as commands.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from colorizer.core.errors import UserError

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
        tags = run_command(
            "git", folder, "tag", "--list", f"{MODEL}@*", "--sort=-creatordate"
        ).splitlines()  # gto takes seconds
        found |= {tag: tag for tag in tags if not tag.endswith("!") and f"{tag}!" not in tags}  # one with ! withdraws
    return found


def versions(folder: Path, stage: str | None = None) -> list[Version]:
    """List the registered versions in the repository in `folder`, newest first, or only the one assigned to `stage`.

    An empty list when there is none.
    """
    if not run_command("git", folder, "tag", "--list", f"{MODEL}@*"):  # gto would not know the model
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
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.stem}.partial.safetensors")
        partial.unlink(missing_ok=True)
        version = [".", str(MODEL_PATH), "--rev", found[0].commit]
        run_command("dvc", folder, "get", *version, "--out", str(partial.resolve()))
        partial.rename(path)
    return path


def run_command(command: str, folder: Path, *arguments: str) -> str:
    """Run a command in `folder` and return what it prints. Raises UserError with its last line when it fails."""
    program = Path(sys.executable).with_name(command)
    program_name = str(program) if program.exists() else command
    try:
        result = subprocess.run(
            [program_name, *arguments],
            cwd=folder,
            encoding="utf-8",
            errors="replace",
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise UserError(f"{command} is not installed: run `make setup`") from error
    if result.returncode:
        [*_, last] = (result.stderr.strip() or result.stdout.strip() or "it printed nothing").splitlines()
        raise UserError(f"{command} {arguments[0]} failed: {last}")
    return result.stdout.strip()
