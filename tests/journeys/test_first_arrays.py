"""The first thing that many do: put the four arrays into data/ and start train_gan.py."""

import sys

import pexpect
import pytest

from colorizer.data.raw import write_raw
from settings.params_file import read_params
from tests.support.imports import ROOT
from tests.support.terminal import train_in_terminal
from tests.support.workspace import Workspace, make_workspace

TOLD = "64 images of 64 x 64 pixels"


@pytest.fixture
def workspace(tmp_path, photographs) -> Workspace:
    workspace = make_workspace(tmp_path / "clone")
    write_raw(workspace.path / "data", photographs.repeat(2, axis=1).repeat(2, axis=2))
    return workspace


def test_train_gan_trains_on_the_arrays_in_data(workspace):
    terminal = train_in_terminal(workspace)
    terminal.expect(f"train_gan: {TOLD} lie in data/: training on them with presets/best.yaml")
    terminal.expect(rf"locate: {TOLD} in data, their chroma in 25 \+ 26 \+ 13")
    terminal.expect("split: 50 training, 1 validation and 12 test images")
    terminal.expect("Running stage 'encode'")
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    best, params = (read_params(path) for path in (ROOT / "presets/best.yaml", workspace.path / "params.yaml"))
    assert params == best.model_copy(update={"train": best.train.model_copy(update={"ask": True})})


def test_settings_of_ones_own_are_not_replaced(workspace):
    workspace.edit_params(learning_rate="0.002")
    before = (workspace.path / "params.yaml").read_bytes()
    result = workspace.run(sys.executable, "train_gan.py", check=False)
    assert result.returncode == 1
    assert result.stdout == (
        "train_gan: arrays lie in data/ but data.root is data/sample, so they are not used: for these "
        f"{TOLD}, `cp presets/best.yaml params.yaml && dvc repro` (this replaces your settings in params.yaml); "
        "or move the arrays away\n"
    )
    assert (workspace.path / "params.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("argument", "code", "told"), [("--help", 0, "usage: train_gan.py"), ("epochs=3", 2, "usage:")]
)
def test_arguments_start_nothing(workspace, argument, code, told):
    before = (workspace.path / "params.yaml").read_bytes()
    result = workspace.run(sys.executable, "train_gan.py", argument, check=False)
    assert (result.returncode, result.stdout[: len(told)]) == (code, told)
    assert (workspace.path / "params.yaml").read_bytes() == before


def test_what_is_missing_of_the_arrays_is_told(workspace):
    (workspace.path / "data/ab/ab2.npy").unlink()
    before = (workspace.path / "params.yaml").read_bytes()
    result = workspace.run(sys.executable, "train_gan.py", check=False)
    assert (result.returncode, result.stdout.count("\n")) == (1, 1)
    assert "train_gan: data/ab holds ab1.npy, ab3.npy but no ab2.npy" in result.stdout
    assert (workspace.path / "params.yaml").read_bytes() == before


def test_locate_says_that_they_are_not_used(workspace):
    said = workspace.stage("locate").stdout
    assert said.startswith("locate: arrays lie in data/ but data.root is data/sample, so they are not used: for these")
    assert said.count("\n") == 1
