"""The promoted model: read which version has the stage `prod`, and assign the stage to another version."""

from pathlib import Path
from typing import Literal

from colorizer.models.registry import MODEL, Version, run_command, versions
from pipeline.workspace.repository import git

STAGE = "prod"
_FIRST = "v0.1.0"

Criterion = Literal["combined_score", "ab_error", "ciede2000", "histogram_distance", "psnr", "ssim"]


def promoted(folder: Path) -> Version | None:
    """The version that has the stage `prod` in the repository in `folder`; None before the first."""
    return next(iter(versions(folder, stage=STAGE)), None)


def promote(folder: Path, why: str) -> tuple[str, list[str]]:
    """Register HEAD as the next minor version, unless it is one, and assign `prod`; returns its name and new tags."""
    before, head = set(_tags(folder)), git(folder, "rev-parse", "HEAD")
    known = versions(folder)
    if not any(version.commit == head for version in known):
        bump = ["--bump-minor"] if known else ["--version", _FIRST]
        run_command("gto", folder, "register", MODEL, "HEAD", *bump, "--message", why)
    [version] = [version for version in versions(folder) if version.commit == head]
    run_command("gto", folder, "assign", MODEL, "--version", version.name, "--stage", STAGE, "--message", why)
    return version.name, [tag for tag in _tags(folder) if tag not in before]


def _tags(folder: Path) -> list[str]:
    return git(folder, "tag").splitlines()
