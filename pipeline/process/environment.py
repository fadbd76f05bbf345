"""The environment of every command that runs beside this process."""

import os
import sys
from pathlib import Path


def child_environment() -> dict[str, str]:
    """Return the environment for child processes: this process's variables, with this Python's folder first on PATH.

    DVC runs a stage as `python -m stages.<name>` through a shell, and git's hooks call `dvc`: both look on the
    PATH, whether the .venv is activated or not.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return os.environ | {"PATH": path}
