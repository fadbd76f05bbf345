"""The Dockerfile, as far as it can be checked without a container engine."""

import shlex
import subprocess

from tests.support.imports import ROOT
from tests.support.workspace import BIN

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_hadolint_finds_nothing():
    subprocess.run([str(BIN / "hadolint"), "--no-color", "Dockerfile"], cwd=ROOT, check=True)


def test_the_build_sees_what_the_image_copies_and_nothing_else():
    copied = [shlex.split(line)[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ")]
    lines = [line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    assert lines[0] == "*"
    assert {f"!{name}" for names in copied for name in names} == {line for line in lines if line.startswith("!")}
    assert all(list(ROOT.glob(name)) for names in copied for name in names)
