"""The registry of models, which is git tags made by GTO: which version is promoted, and promoting another."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from colorizer.errors import UserError
from pipeline.repository import git

MODEL = "generator"  # its name in dvc.yaml
STAGE = "prod"
_FIRST = "v0.1.0"

Criterion = Literal["balance", "ab_error", "ciede2000", "histogram_distance", "psnr", "ssim"]


@dataclass(frozen=True, kw_only=True)
class Version:
    name: str
    commit: str


def promoted(folder: Path) -> Version | None:
    """The version that the stage `prod` names in the repository in `folder`."""
    return next(iter(_show(folder, f"{MODEL}#{STAGE}")), None)


def promote(folder: Path, why: str) -> tuple[str, list[str]]:
    """Assign `prod` to HEAD, registered as the next minor version unless it is a version; its name and the new tags."""
    before, head = set(_tags(folder)), git(folder, "rev-parse", "HEAD")
    known = _show(folder, MODEL)
    if not any(version.commit == head for version in known):
        bump = ["--bump-minor"] if known else ["--version", _FIRST]
        _gto(folder, "register", MODEL, "HEAD", *bump, "--message", why)
    [version] = [version for version in _show(folder, MODEL) if version.commit == head]
    _gto(folder, "assign", MODEL, "--version", version.name, "--stage", STAGE, "--message", why)
    return version.name, [tag for tag in _tags(folder) if tag not in before]


def _show(folder: Path, name: str) -> list[Version]:
    if not git(folder, "tag", "--list", f"{MODEL}@*"):  # gto would not know the name
        return []
    found = json.loads(_gto(folder, "show", name, "--json"))
    return [Version(name=entry["version"], commit=entry["commit_hexsha"]) for entry in found]


def _tags(folder: Path) -> list[str]:
    return git(folder, "tag").splitlines()


def _gto(folder: Path, *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("gto")), *arguments]
    result = subprocess.run(command, cwd=folder, text=True, capture_output=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        raise UserError(
            f"gto {arguments[0]} failed: {(result.stderr.strip() or result.stdout.strip()).splitlines()[-1]}"
        )
    return result.stdout
