"""DVC's default remote, as a refresh uses it: bring what it has to a clone, send it what the clone's versions need."""

import re
import time
from pathlib import Path

from prefect import get_run_logger

from colorizer.core.errors import UserError
from pipeline.process.children import Children
from pipeline.process.commands import run_dvc
from pipeline.process.dvc_command import DVC

_PATIENCE = 60.0


def refuse_missing_remote(copy: Path) -> None:
    """Raise UserError when there is no remote, where others could fetch the models that published tags name."""
    if not _find(copy):
        raise UserError("publishing needs a DVC remote, or others get tags without models: see docs/sharing.md")


def pull_data(copy: Path, children: Children) -> None:
    """Bring everything that the remote or, without one, the cache has. Raises UserError with the reason of a failure.

    What is missing in both is left for `dvc repro` to make.
    """
    fetch: tuple[str, ...] = ("checkout",)
    if _find(copy):
        refuse_silence(copy, children)
        fetch = ("pull", "--run-cache")
    run_dvc(children, copy, *fetch, "--allow-missing")


def push_data(copy: Path, children: Children, *, of_tags: bool) -> None:
    """Send data and models of what is checked out, and of all tags if asked: some may be older than the remote.

    What neither the cache nor the remote has is left out without a word, as DVC does.
    Raises UserError with the reason of a failure. Without a remote a warning says that they are in this cache alone.
    """
    if not _find(copy):
        get_run_logger().warning("there is no DVC remote: data and models of this version are in this cache alone")
        return
    refuse_silence(copy, children)
    run_dvc(children, copy, "push", "--run-cache", *(["--all-tags"] if of_tags else []))


def refuse_silence(copy: Path, children: Children, patience: float = _PATIENCE) -> None:
    """Raise UserError when the remote's server says nothing for `patience` seconds; DVC waits for many minutes.

    Any answer will do, a refusal too: the next command tells its reason.
    """
    name, address = _find(copy) or ("", "")
    if "://" not in address:  # a folder
        return
    shown = re.sub("//[^/]*@", "//", address)  # without a password
    child = children.start([*DVC, "ls-url", f"remote://{name}"], folder=copy, environment={})
    if child is None:  # the run was stopped
        return
    deadline = time.monotonic() + patience
    try:
        for _ in child.lines(tick=0.5):
            if time.monotonic() > deadline:
                raise UserError(
                    f"the DVC remote {name} ({shown}) did not answer within {patience:g} s: see that its server runs "
                    "and that the address is right, then start again; nothing is lost"
                )
    finally:
        child.stop()
        children.wait(child)


def _find(copy: Path) -> tuple[str, str] | None:
    """Name and address of the default remote; None if there is none."""
    from dvc.config import Config  # half a second

    known = Config(str(copy / ".dvc"))
    name = known["core"].get("remote")
    return (name, str(known["remote"].get(name, {}).get("url", ""))) if name else None
