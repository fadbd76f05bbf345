"""The question after each epoch, in a real terminal."""

import pandas as pd
import pexpect
import pytest
from ruamel.yaml import YAML

from tests.support.terminal import train_in_terminal
from tests.support.workspace import Workspace

SAVE, RATE = r"Save this model\?", r"Learning rate\?"
PUBLISHED = ("models/checkpoints/*", "models/generator.safetensors", "reports/history.csv", "reports/samples/*")


@pytest.fixture
def workspace(miniature, tmp_path) -> Workspace:
    workspace = miniature.copy(tmp_path / "clone")
    workspace.edit_params(epochs="3", l1_weight="90.0")
    workspace.git("add", "--all")
    workspace.git("commit", "--quiet", "--message=miniature")
    return workspace


def published(workspace):
    paths = [path for pattern in PUBLISHED for path in workspace.path.glob(pattern)]
    return {str(path.relative_to(workspace.path)): path.read_bytes() for path in paths}


def test_answers_become_params_and_repeat_to_the_byte(workspace):
    asked_from = (workspace.path / "params.yaml").read_text(encoding="utf-8")
    terminal = train_in_terminal(workspace)
    terminal.expect(
        r"epoch 1 of 3: L1 0\.\d+, validation combined score \d\.\d+; its pictures are in scratch/\S+/epoch-0001.png"
    )
    terminal.expect(SAVE)
    terminal.sendline("")
    terminal.expect(RATE)
    terminal.sendline("0.002")
    terminal.expect(SAVE)  # of epoch 2
    terminal.sendintr()  # interrupted here, the training keeps its epochs and the first answer
    terminal.expect("train: interrupted")
    terminal.expect(pexpect.EOF)
    assert "Traceback" not in terminal.before
    assert "{epoch: 1, save: true, learning_rate: 0.002, stop: false}" in (workspace.path / "params.yaml").read_text(
        encoding="utf-8"
    )

    terminal = train_in_terminal(workspace)
    terminal.expect("resuming after epoch 2")
    terminal.expect("epoch 2 of 3")
    terminal.expect(SAVE)
    terminal.sendline("n")
    terminal.expect(RATE)
    terminal.sendline("")
    terminal.expect(SAVE)
    terminal.sendline("")
    terminal.expect(r"train: the model is that of epoch (\d) of 3, validation combined score (\d\.\d+)")
    epoch, score = terminal.match.groups()
    terminal.expect(
        rf"train_gan: models/generator.safetensors is that of epoch {epoch}, validation combined score {score}; "
        "to score it on the test images: dvc repro"
    )
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0

    decisions = [
        {"epoch": 1, "save": True, "learning_rate": 0.002, "stop": False},
        {"epoch": 2, "save": False, "stop": False},
        {"epoch": 3, "save": True, "stop": False},
    ]
    recorded = (workspace.path / "params.yaml").read_text(encoding="utf-8")
    assert YAML(typ="safe").load(recorded)["train"]["decisions"] == decisions
    assert recorded.count("#") == asked_from.count("#")
    lock = YAML(typ="safe").load(workspace.path / "dvc.lock")["stages"]["train"]["params"]["params.yaml"]["train"]
    assert lock["decisions"] == decisions
    answered = published(workspace)
    assert pd.read_csv(workspace.path / "reports/history.csv")["learning_rate"].tolist() == [0.0006, 0.002, 0.002]
    names = sorted(path.name for path in (workspace.path / "models/checkpoints").iterdir())
    assert names == ["epoch-0001.safetensors", "epoch-0003.safetensors"]

    # Whoever never answered must not be handed the answered model.
    (workspace.path / "params.yaml").write_text(asked_from, encoding="utf-8")
    workspace.run("rm", "-r", "dvc.lock", "models", "reports")
    output = workspace.dvc("repro", "train").stdout
    assert "Running stage 'train'" in output
    assert "starting at epoch 1: this training was finished and published before" in output
    assert published(workspace) != answered

    # Repeating from what was recorded, with no terminal and no state to go on from.
    (workspace.path / "params.yaml").write_text(recorded, encoding="utf-8")
    output = workspace.stage("train", COLORIZER_FRESH="1").stdout
    assert "train.ask is true but there is no terminal to ask in" in output
    assert published(workspace) == answered


def test_a_rate_that_diverges_can_be_corrected_and_stop_publishes_what_there_is(workspace):
    terminal = train_in_terminal(workspace)
    terminal.expect(SAVE)
    terminal.sendline("")
    terminal.expect(RATE)
    terminal.sendline("1e30")
    terminal.expect(
        r"epoch 2: training diverged: l1_loss nan, discriminator_loss nan, .*; "
        r"epoch 1 is kept in (scratch/\S+): to go on from it, "
        r"put `(- {epoch: 1, learning_rate: )1e\+29}` .* into train.decisions of params.yaml"
    )
    scratch, entry = workspace.path / terminal.match[1], terminal.match[2]
    terminal.expect(pexpect.EOF)
    state = (scratch / "state-0001.safetensors").read_bytes()
    assert [path.name for path in scratch.glob("*/*")] == ["epoch-0001.safetensors", "epoch-0001.png"]
    text = (workspace.path / "params.yaml").read_text(encoding="utf-8")
    bad = "- {epoch: 1, save: true, learning_rate: 1e+30, stop: false}"
    assert text.count(bad) == 1
    (workspace.path / "params.yaml").write_text(text.replace(bad, f"{entry}0.0003}}"), encoding="utf-8")
    terminal = train_in_terminal(workspace)
    terminal.expect("resuming after epoch 1")
    terminal.expect("train: warning: epoch 2: the output is dull, grey or brown: colourfulness")
    assert "warning" not in terminal.before  # of epoch 1, which is L1 alone
    terminal.expect(SAVE)
    assert (scratch / "state-0001.safetensors").read_bytes() == state
    terminal.sendline("s")
    terminal.expect("stopping after epoch 2 of 3, as decided")
    terminal.expect("train: warning: the model, that of epoch 2: the output is dull")
    terminal.expect(pexpect.EOF)
    assert pd.read_csv(workspace.path / "reports/history.csv")["learning_rate"].tolist() == [0.0006, 0.0003]
    assert len([*(workspace.path / "models/checkpoints").iterdir()]) == 2
    assert "Data and pipelines are up to date" in workspace.dvc("status", "train").stdout

    path = workspace.path / "params.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("stop: true", "stop: false").replace("ask: true", "ask: false"),
        encoding="utf-8",
    )
    assert "resuming after epoch 2" in workspace.dvc("repro", "train").stdout
    assert len(pd.read_csv(workspace.path / "reports/history.csv")) == 3
