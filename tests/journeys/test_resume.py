"""The real training stage, killed and started again."""

import json
import os
import random
import re
import signal
import subprocess
import time

import pytest

from benchmarks.kill_training import is_training, kill_when, wait_for, what_was_cut
from tests.support.disturbed import ask_for_training, kill_at, newest_epoch, results, wait_until
from tests.support.workspace import BIN, Workspace, skip_beyond_ascii

DVC = str(BIN / "dvc")


@pytest.fixture
def workspace(committed) -> Workspace:
    """Everything has run; another recipe and more epochs are asked for now."""
    ask_for_training(committed)
    return committed


def start_training(workspace: Workspace) -> subprocess.Popen:
    process = workspace.start(DVC, "repro", "train")
    wait_until(lambda: is_training(workspace.path, process) or process.poll() is not None)
    return process


def killed(workspace: Workspace, event: str, part_of_path: str) -> tuple[str, str]:
    """Train until this moment, when all is killed; returns what was cut, and the evidence."""
    process = workspace.start(DVC, "repro", "train", **kill_at(event, part_of_path))
    assert process.wait(timeout=120) == -signal.SIGKILL
    return what_was_cut(workspace.path)


def test_killed_at_any_moment_it_ends_with_the_same_bytes_and_only_then_trains_anew(workspace, undisturbed):
    generator = random.Random(0)

    def kill_after(epoch: int) -> None:
        process = start_training(workspace)
        wait_for(process, lambda: newest_epoch(workspace) >= epoch)
        until = time.monotonic() + generator.uniform(0, 0.2)
        assert kill_when(process, lambda: time.monotonic() > until)
        assert newest_epoch(workspace) >= epoch

    kill_after(epoch=0)
    kind, trace = killed(workspace, "os.rename", ".state-0002")
    assert kind == "state"
    assert trace.endswith("newest whole state state-0001.safetensors")
    kill_after(epoch=2)
    kill_after(epoch=3)

    assert killed(workspace, "os.link", "epoch-0003")[0] == "publishing"
    assert "resuming after epoch" in workspace.printed
    assert "resuming after epoch 4" in workspace.stage("train").stdout
    output = workspace.dvc("repro", "train").stdout  # published, but DVC has not taken the outputs yet
    assert "resuming after epoch 4" in output
    assert "img/s" not in output
    assert results(workspace) == undisturbed
    output = workspace.dvc("repro", "--single-item", "--force", "train").stdout
    assert "starting at epoch 1: this training was finished and published before" in output
    assert results(workspace) == undisturbed


@pytest.mark.thorough  # test_more_epochs_go_on_an_edit_is_not_published_and_damage_is_not_loaded goes this way
def test_with_a_falling_learning_rate_each_epoch_depends_on_how_many_there_are(workspace):
    workspace.edit_params(epochs="1", l1_pretrain_epochs="1", decay_epochs="1")
    workspace.dvc("repro", "train")
    workspace.edit_params(epochs="2")
    output = workspace.dvc("repro", "train").stdout
    assert "resuming" not in output
    rates = [
        row.split(",")[1]
        for row in (workspace.path / "reports" / "history.csv").read_text(encoding="utf-8").splitlines()[1:]
    ]
    assert float(rates[1]) == float(rates[0]) / 2


def test_an_experiment_in_a_temporary_folder_is_resumed_in_the_workspace(workspace, undisturbed):
    skip_beyond_ascii(workspace.path)
    workspace.dvc("add", "data/l", "data/ab")  # or the copy would not have them
    workspace.git("add", "--all")
    process = workspace.start(DVC, "exp", "run", "--temp")
    wait_until(lambda: newest_epoch(workspace) >= 1)
    assert kill_when(process, lambda: newest_epoch(workspace) >= 2)
    newest = newest_epoch(workspace)
    runs = {path.name for path in workspace.path.glob("logs/tensorboard/*")}
    assert runs == {path.name.removeprefix("train-") for path in workspace.path.glob("scratch/train-*")}
    output = workspace.dvc("repro", "train").stdout
    assert f"resuming after epoch {newest}" in output
    assert results(workspace) == undisturbed


def test_a_write_that_fails_a_second_training_and_an_orphan_leave_the_last_good_epoch(workspace, undisturbed):
    """A limit on the size of files stands for a full disk: the kernel refuses in the middle of a write."""
    size = len(next(content for name, content in undisturbed.items() if "state-0004" in name))
    kibibytes = (size - 5_000) // 1024  # the first state is smaller: the discriminator has no moments yet
    limited = f"ulimit -f {kibibytes}; exec python -m stages.train"
    result = workspace.run("bash", "-c", limited, check=False)
    assert result.returncode == 1
    assert "state-0002.safetensors: file too large; make room and run again, nothing was overwritten" in result.stdout
    assert "Traceback" not in result.stdout

    first = start_training(workspace)
    owners = [json.loads(path.read_text(encoding="utf-8")) for path in workspace.path.glob("scratch/*/owner.json")]
    training = next(owner["process"] for owner in owners if owner["started_by"] == first.pid)
    os.kill(training, signal.SIGSTOP)
    second = workspace.stage("train", check=False)
    assert second.returncode == 1
    assert second.stdout.startswith(f"train: process {training} is training this already, in scratch/train-")
    assert len(second.stdout.splitlines()) == 1
    os.kill(first.pid, signal.SIGKILL)  # dvc alone: the training is an orphan now
    first.wait()
    os.kill(training, signal.SIGCONT)
    output = workspace.dvc("repro", "train").stdout
    assert "resuming after epoch 1" in workspace.printed
    assert f"train: the dvc that started this (process {first.pid}) is gone: stopping" in workspace.printed
    assert results(workspace) == undisturbed
    assert "Traceback" not in output + workspace.printed


def test_more_epochs_go_on_an_edit_is_not_published_and_damage_is_not_loaded(workspace, undisturbed):
    workspace.edit_params(epochs="1")
    workspace.dvc("repro", "train")

    workspace.edit_params(epochs="4")
    lock = (workspace.path / "dvc.lock").read_bytes()
    process = start_training(workspace)
    workspace.edit_params(learning_rate="0.002")
    assert process.wait() != 0
    assert "resuming after epoch 1" in workspace.printed
    assert "train.learning_rate changed from 0.0006 to 0.002" in workspace.printed
    assert (workspace.path / "dvc.lock").read_bytes() == lock
    assert not (workspace.path / "models/generator.safetensors").exists()

    workspace.edit_params(learning_rate="0.0006")
    newest = max(workspace.path.glob("scratch/*/state-0004.safetensors"), key=lambda path: path.stat().st_mtime)
    content = bytearray(newest.read_bytes())
    content[-5] ^= 1
    newest.write_bytes(content)
    output = workspace.dvc("repro", "train").stdout
    assert re.search(r"train: scratch/\S+/state-0004.safetensors is damaged .*its checksum", output)
    assert "resuming after epoch 3" in output
    assert results(workspace) == undisturbed
    workspace.edit_params(epochs="1")
    assert "is cached - skipping run" in workspace.dvc("repro", "train").stdout
