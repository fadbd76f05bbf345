"""How a stage ends where the machine does not let it go on: one line, and exit code 1."""

import os
import re
import resource
from contextlib import contextmanager

import numpy as np
import pytest

from colorizer.epochs.questions import FOLDER_VARIABLE
from stages.runtime.entry import run_stage
from stages.train import train
from tests.support.workspace import BIN

# Root may write anywhere, unless it gives up the right to.
LIKE_ANY_USER = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
REASON = "permission denied; change its permissions or those of its folder and run again"


@contextmanager
def read_only(folder):
    folder.chmod(0o555)
    yield
    folder.chmod(0o755)


def run(workspace, stage, **environment):
    return workspace.run(*LIKE_ANY_USER, str(BIN / "python"), "-m", f"stages.{stage}", check=False, **environment)


@pytest.mark.parametrize(
    ("stage", "folder", "told"),
    [
        ("locate", "data", f"data/located.txt: {REASON}, nothing was overwritten"),
        ("train", "scratch", rf"scratch/train-\w+: {REASON}"),
    ],
)
def test_a_folder_that_cannot_be_written_to_is_one_line(miniature, tmp_path, stage, folder, told):
    workspace = miniature.copy(tmp_path / "clone")
    workspace.edit_params(learning_rate="0.002")  # another folder in scratch/
    with read_only(workspace.path / folder):
        result = run(workspace, stage)
    assert result.returncode == 1
    assert re.fullmatch(f"{stage}: {told}\n", result.stdout)


def test_logs_that_cannot_be_written_to_are_one_warning_and_the_training_is_published(miniature, tmp_path):
    workspace = miniature.copy(tmp_path / "clone")
    workspace.edit_params(learning_rate="0.002")
    (workspace.path / "logs/train.csv").chmod(0o444)
    with read_only(workspace.path / "logs/tensorboard"):
        result = run(workspace, "train")
    assert result.returncode == 0
    assert result.stdout.count("train: warning: logs/ lacks an epoch (Permission denied); training goes on\n") == 1
    assert result.stdout.count("logs") == 1
    assert "train: the model is that of epoch 2 of 2, validation combined score " in result.stdout


def test_an_array_that_may_not_be_read_is_one_line(miniature, tmp_path):
    workspace = miniature.copy(tmp_path / "clone")
    (workspace.path / "data/ab/ab2.npy").chmod(0)
    result = run(workspace, "locate")
    assert (result.returncode, result.stdout) == (
        1,
        "locate: data/ab/ab2.npy cannot be read (permission denied): put a readable file or folder in its "
        "place, or remove it\n",
    )


def test_a_folder_above_the_arrays_that_may_not_be_entered_is_one_line(miniature, tmp_path):
    workspace = miniature.copy(tmp_path / "clone")
    outer = workspace.path / "outer"
    (outer / "inner").mkdir(parents=True)
    workspace.edit_params(root="outer/inner")
    outer.chmod(0o600)
    result = run(workspace, "locate")
    outer.chmod(0o700)
    assert (result.returncode, result.stdout) == (
        1,
        "locate: outer cannot be entered (permission denied): change its permissions\n",
    )


def test_that_answers_cannot_be_kept_is_told_before_the_first_epoch(miniature, tmp_path):
    workspace = miniature.copy(tmp_path / "clone")
    workspace.edit_params(learning_rate="0.002")
    with read_only(workspace.path):
        result = run(workspace, "train", **{FOLDER_VARIABLE: str(tmp_path)})
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1].endswith(
        "clone cannot be written to: answers could not be kept in params.yaml"
    )
    assert "epoch 1/" not in result.stdout


def allocate(params):
    np.empty(2**50, np.uint8)


@pytest.mark.parametrize(
    ("stage", "edit", "told"),
    [
        (train, {"generator__width": "65536"}, "lower train.batch_size, train.generator.width or train.discriminator"),
        (allocate, {}, "close other programs (Unable to allocate 1.00 PiB for an array"),
    ],
)
def test_too_little_memory_is_one_line(miniature, tmp_path, stage, edit, told):
    workspace = miniature.copy(tmp_path / "clone")
    workspace.edit_params(**edit)

    def main():
        resource.setrlimit(resource.RLIMIT_AS, (2**38, resource.RLIM_INFINITY))  # some systems promise any amount
        run_stage(stage)

    result = workspace.run_forked(main, check=False)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1].startswith(f"{stage.__name__}: out of memory: {told}")
    assert "Traceback" not in result.stdout
