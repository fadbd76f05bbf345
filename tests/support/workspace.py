"""A copy of the project in a temporary git repository, driven as a user drives it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import filelock
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from colorizer.data.raw import write_raw
from stages.runtime.entry import run_stage
from tests.support.forked import run_forked
from tests.support.imports import ROOT

BIN = Path(sys.executable).parent
UNACTIVATED = "/usr/bin:/bin"  # a PATH with nothing of .venv on it

# A name with a blank, an umlaut and Chinese letters, where the system has them: DVC has no other names then, either.
FOREIGN_NAME = "Übung 中文" if sys.getfilesystemencoding() == "utf-8" else "a blank"

MINIATURE = {
    "sample__size": "16",
    "sample__train": "16",
    "sample__test": "8",
    "split__train": "48",
    "validation": "8",
    "split__test": "16",
    "epochs": "2",
    "l1_pretrain_epochs": "1",
    "batch_size": "39",  # leaves a last batch of one image
    "learning_rate": "0.0006",
    "generator__hints": "false",
    "encoder": "plain",  # a checkpoint of the other has 12 MB, which takes time
    "generator__width": "4",
    "discriminator__width": "4",
    "train__sheet_images": "2",
    "evaluate__sheet_images": "4",
}


def skip_beyond_ascii(path: Path) -> None:
    """Skip a test whose folder has letters that the tool it needs, or the locale that it sets, cannot write."""
    if not str(path).isascii():
        pytest.skip(f"{path} has letters beyond ASCII, which DVC's temporary experiments and ASCII locales lack")


_KEPT = ("HOME", "LANG", "LC_ALL", "PYTHONUTF8", "PYTHONCOERCECLOCALE", "TMPDIR", "XDG_CACHE_HOME")


@dataclass(frozen=True)
class Workspace:
    """Commands run in an activated environment: the programs of .venv come first on the PATH."""

    path: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return kept | {"PATH": f"{BIN}:{UNACTIVATED}", "OMP_NUM_THREADS": "1"}

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            command,
            cwd=self.path,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        assert result.returncode == 0 or not check, result.stdout
        return result

    def dvc(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        import dvc.cli.parser  # every command; all of DVC is half a second, which not every test needs
        import dvc.logger
        import dvc.repo

        def main() -> int:
            dvc.logger.setup()  # it writes to what was standard output when DVC was imported
            return dvc.cli.main(list(arguments))

        return self.run_forked(main, ["dvc", *arguments], check, **environment)

    def stage(self, name: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a stage with the code of this process: `python -m stages.<name>` takes that of the workspace."""
        stage = getattr(import_module(f"stages.{name}"), name)
        return self.run_forked(lambda: run_stage(stage), [f"stages/{name}.py"], check, **environment)

    def run_forked(
        self, main: Callable[[], object], command: Sequence[str] = (), check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Call `main` in a fork of this process, as `run` runs a command; the fork takes `command` for its own."""
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            told = self.environment | environment
            code = run_forked(main, list(command), folder=self.path, environment=told, output=output)
            output.seek(0)
            result = subprocess.CompletedProcess(command, code, output.read())
        assert result.returncode == 0 or not check, result.stdout
        return result

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments).stdout

    def copy(self, path: Path) -> "Workspace":
        """The same at `path`, cache and outputs included, without a hard link in common."""
        shutil.copytree(self.path, path, symlinks=True, dirs_exist_ok=True)
        return Workspace(path)

    def start(self, *command: str, **environment: str) -> subprocess.Popen:
        """Run in the background, in a process group of its own; `printed` tells what it says."""
        with self._printed.open("w", encoding="utf-8") as printed:
            process = subprocess.Popen(
                command,
                cwd=self.path,
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        STARTED.append(process)
        return process

    @property
    def printed(self) -> str:
        return self._printed.read_text(encoding="utf-8")

    @property
    def _printed(self) -> Path:
        return self.path.with_name(f"{self.path.name}.txt")

    def edit_params(self, **replacements: str) -> None:
        """Set keys of params.yaml by their own name; `generator__width` is `width` after the line `generator:`."""
        text = (self.path / "params.yaml").read_text(encoding="utf-8")
        for name, value in replacements.items():
            *sections, key = name.split("__")
            lead = "".join(rf"^ *{section}:(?:\n|.)*?" for section in sections)
            text, count = re.subn(rf"({lead}^ *{key}: )[^#\n]*", rf"\g<1>{value}  ", text, count=1, flags=re.MULTILINE)
            assert count == 1, name
        (self.path / "params.yaml").write_text(text, encoding="utf-8")


STARTED: list[subprocess.Popen] = []


def end_what_was_started(before: Sequence[subprocess.Popen]) -> None:
    """Kill what `Workspace.start` has started since `before`, with all that it started in its turn."""
    while len(STARTED) > len(before):
        process = STARTED.pop()
        if process.poll() is None:
            for running in [*psutil.Process(process.pid).children(recursive=True), process]:
                with suppress(psutil.NoSuchProcess):
                    running.kill()
            process.wait()


def make_once(path: Path, make: Callable[[], object]) -> None:
    """Make the folder `path` for all parallel workers; what an error left unfinished is made anew."""
    finished = path.with_name(f"{path.name}.finished")
    with filelock.FileLock(path.with_name(f"{path.name}.lock")):
        if not finished.exists():
            shutil.rmtree(path, ignore_errors=True)
            make()
            finished.touch()


def make_workspace(path: Path) -> Workspace:
    """Copy every file that git tracks or would track, and commit it."""
    path.mkdir(exist_ok=True)
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
    workspace.git("config", "user.name", "test")
    workspace.git("config", "user.email", "test@localhost")
    workspace.git("add", "--all")
    workspace.git("commit", "--quiet", "--message=start")
    return workspace


def make_miniature(path: Path, photographs: NDArray[np.uint8]) -> Workspace:
    """A workspace with 48 + 16 images of its own, in which `dvc repro` has run, as it does without Prefect."""
    workspace = make_workspace(path)
    write_raw(path / "data", photographs)
    workspace.edit_params(root="data", **MINIATURE)
    workspace.dvc("repro", **without_prefect(path.with_name("without-prefect")))
    return workspace


def without_prefect(folder: Path) -> dict[str, str]:
    """The environment of a user who has not installed Prefect. Makes `folder`, in which Python finds what hides it."""
    (folder / "prefect").mkdir(parents=True, exist_ok=True)
    (folder / "prefect" / "__init__.py").write_text("raise ImportError('prefect is not installed')\n", encoding="utf-8")
    return {"PYTHONPATH": str(folder)}
