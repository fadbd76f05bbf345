"""Runs git, DVC and GTO: in which environment, with which settings, and the reason in one line when one fails."""

import errno
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from itertools import dropwhile, takewhile
from pathlib import Path

from colorizer.core.errors import UserError
from colorizer.models.environment import child_environment, unhide_proxies

# What a user may have set for git, and what would change the result of a command or refuse it.
_SETTINGS = {
    "core.fsmonitor": "false",  # a program that says what changed
    "core.hooksPath": os.devnull,
    "core.splitIndex": "as it is",  # DVC cannot read a split one
    "protocol.file.allow": "always",  # from the repository to its clone
    "protocol.version": "2",  # gives any commit
    "push.pushOption": "",  # many servers refuse them
    "submodule.recurse": "false",
}

# As modules: the programs of a .venv that was moved fail.
PROGRAMS = {name: (sys.executable, "-P", "-m", module) for name, module in (("dvc", "dvc"), ("gto", "gto.cli"))}

_REASON = re.compile(r"(ERROR:|fatal:|error:|❌|!) ")  # how a line with one begins: DVC's, git's, GTO's
_POINTERS = ("Please report it here", "Having any troubles?")  # to those who make GTO and DVC
_NOT_FROM_REMOTE = re.compile(  # what DVC says of S3 and SSH when it is refused or does not get through
    r"(unexpected error -|failed to transfer) .*"
    r"(Forbidden|Access ?Denied|Unable to locate credentials|bucket does not exist|Could not connect to the endpoint"
    r"|Permission denied for user|Login timeout|Connect call failed|Name or service not known|No storage files)"
)
_REJECTED = " ! ["  # by git, a branch or tag; the lines around it say less


def run_command(command: str, folder: Path, *arguments: str) -> str:
    """Run `dvc`, `git` or `gto` in `folder`; returns what it prints. Raises UserError with the reason of a failure."""
    result = _run(command, folder, arguments)
    if result.returncode:
        printed = (result.stderr.strip() or result.stdout.strip()).decode(errors="replace")
        raise UserError(f"{command} {arguments[0]} failed in {folder}: {reason_in(printed.splitlines())}")
    return os.fsdecode(result.stdout).rstrip("\n")


def git(folder: Path, *arguments: str) -> str:
    """Run a git command as `run_command` does, whatever the user's configuration of git says."""
    return run_command("git", folder, *arguments)


def git_succeeds(folder: Path, *arguments: str) -> bool:
    """Run a git command and return whether its exit code is 0; False without git, too."""
    try:
        return _run("git", folder, arguments).returncode == 0
    except UserError:
        return False


def _run(command: str, folder: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    environment, settings = child_environment(), []
    if command == "git":
        environment = unhide_proxies(environment) | {"LC_ALL": "C"}  # its reasons are searched for
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
    try:
        return subprocess.run(
            [*PROGRAMS.get(command, (command,)), *settings, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise UserError(f"{command} is not installed, or not on the PATH: install it") from error


def refuse_subfolder(folder: Path) -> None:
    """Raise UserError when the project is not in a git repository, or in a subfolder of one."""
    if prefix := git(folder, "rev-parse", "--show-prefix"):
        raise UserError(
            f"{folder.resolve()} is the subfolder {prefix} of a git repository: registered models and refreshes need a "
            "repository of the project's own, a submodule for example"
        )


def reason_in(printed: Sequence[str]) -> str:
    """Extract the reason of a failure, in one line, from a command's output; the last line where none is marked."""
    lines = takewhile(lambda line: not line.startswith(_POINTERS), printed)
    told = [line for line in lines if line.strip() and not line.startswith("hint:")]
    rejected = [line for line in told if line.startswith(_REJECTED)]
    reason = rejected or list(dropwhile(lambda line: not _REASON.match(line), told)) or told[-1:]
    text = " ".join(" ".join(reason).split())
    begin = _REASON.match(text)
    return add_advice(text[begin.end() :] if begin else text) or "it printed nothing"


def add_advice(told: str) -> str:
    """Add what to do to what DVC and git say, where they do not tell."""
    if "not a git repository" in told:  # the project came as an archive
        return f"{told}; make it one: `git init`, `git add --all` and `git commit --message start`"
    if plug_in := re.search(r"requires 'dvc-(s3|ssh)' to be installed", told):
        return f"{told}; install it: `pip install -r requirements-{plug_in[1]}.txt -c constraints.txt`"
    if _NOT_FROM_REMOTE.search(told):
        return f'{told}; see "When a remote does not work" in docs/sharing.md'
    if "RWLock-file" in told:
        return f"{told}; delete this file while no dvc runs"
    if re.search(rf"\[Errno ({errno.ENOENT}|{errno.EACCES}|{errno.EISDIR}|{errno.ELOOP}|{errno.ENXIO})\]", told):
        return f"{told}; if that is one of your arrays, `python -m stages.locate` says what to do"
    return told
