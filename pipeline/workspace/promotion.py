"""Promoting models: which version the stage `prod` names, and giving it to another."""

from pathlib import Path
from typing import Literal

from colorizer.models.registry import MODEL, Version, ask, versions
from pipeline.workspace.repository import git

STAGE = "prod"
_FIRST = "v0.1.0"

Criterion = Literal["balance", "ab_error", "ciede2000", "histogram_distance", "psnr", "ssim"]


def promoted(folder: Path) -> Version | None:
    """The version that the stage `prod` names in the repository in `folder`."""
    return next(iter(versions(folder, stage=STAGE)), None)


def promote(folder: Path, why: str) -> tuple[str, list[str]]:
    """Assign `prod` to HEAD, registered as the next minor version unless it is a version; its name and the new tags."""
    before, head = set(_tags(folder)), git(folder, "rev-parse", "HEAD")
    known = versions(folder)
    if not any(version.commit == head for version in known):
        bump = ["--bump-minor"] if known else ["--version", _FIRST]
        ask("gto", folder, "register", MODEL, "HEAD", *bump, "--message", why)
    [version] = [version for version in versions(folder) if version.commit == head]
    ask("gto", folder, "assign", MODEL, "--version", version.name, "--stage", STAGE, "--message", why)
    return version.name, [tag for tag in _tags(folder) if tag not in before]


def _tags(folder: Path) -> list[str]:
    return git(folder, "tag").splitlines()
