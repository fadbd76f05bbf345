"""A copy of the project in a temporary git repository, driven as a user drives it."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.imports import ROOT

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Workspace:
    """Commands run without an activated environment: nothing of .venv is on the PATH."""

    path: Path

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        environment["PATH"] = "/usr/bin:/bin"
        result = subprocess.run(
            command, cwd=self.path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert result.returncode == 0 or not check, result.stdout
        return result

    def dvc(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(str(BIN / "dvc"), *arguments, check=check)

    def git(self, *arguments: str) -> str:
        return self.run("git", "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments).stdout

    def edit_params(self, **replacements: str) -> None:
        """Set keys of params.yaml by their own name; `generator__width` is `width` after the line `generator:`."""
        text = (self.path / "params.yaml").read_text()
        for name, value in replacements.items():
            *sections, key = name.split("__")
            lead = "".join(rf"^ *{section}:(?:\n|.)*?" for section in sections)
            text, count = re.subn(rf"({lead}^ *{key}: )[^#\n]*", rf"\g<1>{value}  ", text, count=1, flags=re.MULTILINE)
            assert count == 1, name
        (self.path / "params.yaml").write_text(text)


def make_workspace(path: Path) -> Workspace:
    """Copy every file that git tracks or would track, and commit it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, path / name)
    workspace = Workspace(path)
    workspace.git("init", "--quiet", "--initial-branch=main")
    workspace.git("add", "--all")
    workspace.git("commit", "--quiet", "--message=start")
    return workspace
