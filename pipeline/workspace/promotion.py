"""The promoted model: which version has the stage `prod`, whether another is better, and promoting that one."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from colorizer.models.commands import git, run_command
from colorizer.models.registry import MODEL, Version, list_tags, versions

STAGE = "prod"
_FIRST = "v0.1.0"

Criterion = Literal["combined_score", "ab_error", "ciede2000", "frechet_distance", "histogram_distance", "psnr", "ssim"]
_LARGER_IS_BETTER = ("psnr", "ssim")


def promoted(folder: Path) -> Version | None:
    """The version that has the stage `prod` in the repository in `folder`; None before the first."""
    return next(iter(versions(folder, stage=STAGE)), None)


def judge(
    criterion: str, margin: float, current: Version | None, scores: Mapping[str, Mapping[str, float]]
) -> tuple[bool, str]:
    """Decide whether the new model is better than the promoted one, and say why.

    `scores` are those of `new` and `promoted`.
    """
    new = scores["new"][criterion]
    if current is None:
        is_first = math.isfinite(new)
        return is_first, f"{criterion} {new:.4f}, {'the first promoted model' if is_first else 'which is no model'}"
    old = scores["promoted"][criterion]
    gain = new - old if criterion in _LARGER_IS_BETTER else old - new
    better = gain > margin or (math.isfinite(new) and not math.isfinite(old))
    how = ("better" if better else "not better") + (f" by more than {margin:g}" if margin else "")
    return better, f"{criterion} {new:.4f}, {how} than {old:.4f} of {current.name} on the same test images"


def promote(folder: Path, why: str) -> tuple[str, list[str]]:
    """Register HEAD as the next minor version, unless it is one, and assign `prod`; returns its name and new tags."""
    before, head = set(list_tags(folder, "*")), git(folder, "rev-parse", "HEAD")
    known = versions(folder)
    if not any(version.commit == head for version in known):
        bump = ["--bump-minor"] if known else ["--version", _FIRST]
        run_command("gto", folder, "register", MODEL, "HEAD", *bump, "--message", why)
    [version] = [version for version in versions(folder) if version.commit == head]
    run_command("gto", folder, "assign", MODEL, "--version", version.name, "--stage", STAGE, "--message", why)
    return version.name, [tag for tag in list_tags(folder, "*") if tag not in before]
