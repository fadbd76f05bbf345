"""What a user types that cannot be written anywhere."""

import os
import subprocess
import sys

import pytest

from tests.support.imports import ROOT

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("arguments", "locale", "named", "advice"),
    [
        (
            ["colorize-folder", "phü".encode(), "--out", "out"],
            ASCII,
            r"ph\udcc3\udcbc",
            "ascii) lacks: `export PYTHONUTF8=1`",
        ),
        (
            ["rebuild", "--set", "data.root=Ü".encode()],
            ASCII,
            r"data.root=\udcc3\udc9c",
            "ascii) lacks: `export PYTHONUTF8=1`",
        ),
        (["colorize-folder", b"\xff", "--out", "out"], {"PYTHONUTF8": "1"}, r"\udcff", "utf-8) lacks: rename it"),
    ],
)
def test_letters_that_the_locale_lacks_are_named(monkeypatch, arguments, locale, named, advice):
    for name, value in locale.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "pipeline", *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True)
    assert result.returncode == 1
    [line] = result.stderr.decode().splitlines()
    assert line.startswith(f"pipeline: {named} has letters that the encoding of this locale (")
    assert line.endswith(advice)


def test_a_project_in_such_a_folder_is_named(monkeypatch, tmp_path):
    for name, value in ASCII.items():
        monkeypatch.setenv(name, value)
    project = tmp_path / os.fsdecode("prøject".encode())
    project.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-m", "pipeline", "rebuild"]
    result = subprocess.run(command, cwd=project, capture_output=True)
    assert result.returncode == 1
    assert "has letters that the encoding of this locale (ascii) lacks: `export PYTHONUTF8=1`" in result.stderr.decode()
