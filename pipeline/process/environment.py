"""The environment of every command that runs beside this process."""

import os
import sys
from pathlib import Path


def child_environment() -> dict[str, str]:
    """This process's variables, with this Python's folder first on the PATH, whether its .venv is activated or not.

    DVC runs a stage as `python -m stages.<name>` through a shell, and git's hooks call `dvc`: both look on the PATH.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return os.environ | {"PATH": path}
