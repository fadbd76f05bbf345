"""What child processes, HTTP clients and servers find on this machine: environment variables, and ports."""

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

from colorizer.core.errors import UserError

# What git tells a hook or an alias, beside what `git rev-parse --local-env-vars` names.
_OF_ONE_COMMAND = (
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_DATE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_QUARANTINE_PATH",
)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def child_environment() -> dict[str, str]:
    """Return the environment for child processes: this process's variables, with this Python's folder first on PATH.

    DVC runs a stage as `python -m stages.<name>` through a shell, which looks on the PATH, whether the .venv is
    activated or not. Left out is what would count for more than the folder in which a child runs: what git tells a hook
    or an alias about its repository, about the command under way and about the commit's author, and PYTHONSAFEPATH,
    with which Python would take an installed copy of the code. GIT_COMMITTER_NAME and GIT_COMMITTER_EMAIL stay: hooks
    are not told them, so they are the user's.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    dropped = {"PYTHONSAFEPATH", *_OF_ONE_COMMAND, *_names_of_one_repository()}
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

    httpx makes no client at all if a proxy, or a host in `no_proxy`, is none that it takes. Such a one is left out of
    the variables of lower case, which count for Python; see `unhide_proxies`. Call this before the first request: HTTP
    clients read the variables when they are made.
    """
    from urllib.request import getproxies_environment  # brings what commands without a server do not need

    ours = ("localhost", "127.0.0.1", "::1", *hosts)
    listed = ",".join(os.environ.get(name, "") for name in ("no_proxy", "NO_PROXY"))
    direct = dict.fromkeys([*filter(None, map(str.strip, listed.split(","))), *ours])
    if "*" in direct:  # for urllib only if it is alone
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"
        return
    taken = [host for host in direct if host in ours or _is_taken(f"[{host}]") or _is_taken(f"*{host}")]
    os.environ |= {"no_proxy": ",".join(taken), "NO_PROXY": ",".join(direct)}
    for name in _PROXIES:
        url = getproxies_environment().get(name.removesuffix("_proxy"), "")
        if url and not _is_taken(url):
            os.environ |= {name.upper(): url, name: ""}


def unhide_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` with the proxies that `bypass_proxies` left out, for git, which takes more of them."""
    hidden = [name for name in _PROXIES if environment.get(name) == "" and name.upper() in environment]
    return {**environment, **{name: environment[name.upper()] for name in hidden}}


def _is_taken(proxy: str) -> bool:
    """Whether httpx takes this for the address of a proxy."""
    import httpx  # takes 0.2 s, and most users have no proxy

    try:
        httpx.Proxy(proxy if "://" in proxy else f"http://{proxy}")
    except (ValueError, httpx.InvalidURL):
        return False
    return True


def refuse_taken_port(host: str, port: int, advice: str) -> None:
    """Raise UserError, with the reason and `advice`, when a server could not listen at a port of this machine."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        reason = (error.strerror or "").lower().partition(" (while attempting")[0]
        if error.errno == errno.EADDRINUSE:
            reason = "another program listens there"
        raise UserError(f"port {port} of {host} is not available ({reason}): {advice}") from error
