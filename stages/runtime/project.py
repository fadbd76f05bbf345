"""Finds the project's folder, and its git repository, from wherever a stage runs."""

import os
from pathlib import Path


def project_root() -> Path:
    """The project's folder, also from inside a temporary copy of `dvc exp run --temp` or `dvc queue start`."""
    here = Path.cwd()
    root = next((folder for folder in here.parents if folder / ".dvc/tmp/exps" in here.parents), here)
    return Path(os.path.relpath(root))


def repository_root() -> Path:
    """The folder of the git repository that the project, or the copy of it in which a stage runs, belongs to."""
    root = project_root().resolve()
    return next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
