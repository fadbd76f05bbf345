"""The environment variables that child processes and HTTP clients look at."""

import os
import subprocess
import sys
from collections.abc import Collection
from functools import cache
from pathlib import Path


def child_environment() -> dict[str, str]:
    """Return the environment for child processes: this process's variables, with this Python's folder first on PATH.

    DVC runs a stage as `python -m stages.<name>` through a shell, which looks on the PATH, whether the .venv is
    activated or not. Left out is what would count for more than the folder in which a child runs: what git tells a hook
    or an alias about its repository, and PYTHONSAFEPATH, with which Python would take an installed copy of the code.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    dropped = {"PYTHONSAFEPATH", *_names_of_one_repository()}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"PATH": path}


@cache
def _names_of_one_repository() -> Collection[str]:
    try:
        told = subprocess.run(
            ["git", "rev-parse", "--local-env-vars"],
            env={"PATH": os.environ.get("PATH", os.defpath)},
            capture_output=True,
        )
    except OSError:  # without git there is no hook
        return ()
    return told.stdout.decode().split()


def bypass_proxies(*hosts: str) -> None:
    """Let this process and its children call this machine, and `hosts`, directly: adds them to `no_proxy`.

    Call it before the first request: HTTP clients read the variables when they are made.
    """
    # Programs read the one or the other, and the lower one hides the upper one from Python's.
    listed = ",".join(os.environ.get(name, "") for name in ("no_proxy", "NO_PROXY"))
    if "*" in listed.replace(" ", "").split(","):
        return  # everything goes directly, which only a `*` alone says
    direct = [*filter(None, map(str.strip, listed.split(","))), "localhost", "127.0.0.1", "::1", *hosts]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(dict.fromkeys(direct))
