"""A training that begins from a model: from its file, from a registered version, and never from a wrong one."""

import json
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from colorizer.core.digests import file_digest
from colorizer.core.lab import codes_to_rgb
from colorizer.networks.checkpoints import read_checkpoint
from tests.support.disturbed import kill_at, newest_epoch
from tests.support.imports import ROOT
from tests.support.rebuilding import run_id
from tests.support.workspace import BIN, Workspace

DVC = str(BIN / "dvc")
MODEL = "models/generator.safetensors"
GIVEN = "pretrained/first.safetensors"


@pytest.fixture
def given(committed) -> Workspace:
    """Everything has run and is committed; the model lies ready to begin from."""
    shutil.copyfile(committed.path / MODEL, committed.path / GIVEN)
    return committed


def begin_from(workspace: Workspace, name: str) -> None:
    workspace.edit_params(start_from=name, start_learning_rate="0.0001", l1_pretrain_epochs="0", l1_weight="80.0")


def lock(workspace: Workspace, stage: str) -> dict:
    return YAML(typ="safe").load(workspace.path / "dvc.lock")["stages"][stage]


def outputs(workspace: Workspace) -> dict[str, str]:
    paths = [workspace.path / MODEL, *(workspace.path / "models/checkpoints").iterdir()]
    return {path.name: file_digest(path) for path in [*paths, workspace.path / "reports/history.csv"]}


def test_it_goes_on_from_the_weights_of_a_file(given):
    given.git("tag", "before")
    begin_from(given, GIVEN)
    before = read_checkpoint(given.path / GIVEN)
    assert "start: pretrained/first.safetensors" in given.dvc("repro", "train").stdout
    after = read_checkpoint(given.path / MODEL)

    origin = {"name": GIVEN, "epoch": before.metadata["epoch"], "sha256": file_digest(given.path / GIVEN)}
    assert after.ancestry == [origin]
    assert np.array_equal(after.learnt_from, before.learnt_from)
    assert after.metadata["training"]["inputs"]["models/start.safetensors"] == origin["sha256"]
    # A few steps at a sixth of the usual rate end near the weights that they began from.
    moved = max(
        float((after.generator[name] - tensor).abs().max())
        for name, tensor in before.generator.items()
        if name.endswith("weight")
    )
    assert 0 < moved < 0.002
    assert "Fine-tuned from pretrained/first.safetensors (epoch" in evaluated(given)


@pytest.mark.thorough  # tests/journeys/test_resume.py kills trainings that begin with random weights
def test_a_kill_changes_nothing(given):
    disturbed = given.copy(given.path.with_name("disturbed"))
    begin_from(given, GIVEN)
    given.dvc("repro", "train")
    begin_from(disturbed, GIVEN)
    killed = disturbed.start(DVC, "repro", "train", **kill_at("os.rename", ".state-0002"))
    assert killed.wait(timeout=120) == -signal.SIGKILL
    assert newest_epoch(disturbed) == 1
    assert "resuming after epoch 1" in disturbed.dvc("repro", "train").stdout
    assert outputs(disturbed) == outputs(given)


def evaluated(workspace: Workspace) -> str:
    workspace.dvc("repro", "evaluate")
    return (workspace.path / "reports/evaluation/score_card.txt").read_text(encoding="utf-8")


def test_a_registered_name_becomes_its_version_and_a_changed_file_is_noticed(given):
    given.run("gto", "register", "generator", "HEAD", "--version", "v0.1.0")
    given.run("gto", "assign", "generator", "--version", "v0.1.0", "--stage", "prod")
    digest = lock(given, "train")["outs"][1]["md5"]
    begin_from(given, "generator#prod")
    given.edit_params(l1_pretrain_epochs="1")
    printed = given.dvc("repro").stdout
    assert "start: generator#prod is generator@v0.1.0, which now stands in params.yaml" in printed
    assert "train: generator@v0.1.0 may become duller: train.l1_pretrain_epochs is 1, and epochs on L1 alone" in printed
    assert "start_from: generator@v0.1.0" in (given.path / "params.yaml").read_text(encoding="utf-8")
    assert lock(given, "start")["params"]["params.yaml"] == {"train.start_from": "generator@v0.1.0"}
    assert {out["path"]: out["md5"] for out in lock(given, "start")["outs"]}["models/start.safetensors"] == digest
    assert "up to date" in given.dvc("status").stdout
    assert read_checkpoint(given.path / MODEL).ancestry[0]["name"] == "generator@v0.1.0"

    begin_from(given, GIVEN)
    given.dvc("repro", "start")
    shutil.copyfile(given.path / MODEL, given.path / GIVEN)
    assert "pretrained" in given.dvc("status", "train", "--with-deps").stdout
    begin_from(given, "generator@v9.9.9")
    refused = given.dvc("repro", "start", check=False)
    assert refused.returncode
    assert "start: generator@v9.9.9 is not registered in" in refused.stdout
    assert "(registered: generator@v0.1.0)" in refused.stdout


def test_test_images_that_it_has_learnt_from_are_refused_and_validation_images_counted(given):
    begin_from(given, GIVEN)
    given.edit_params(split__seed="1")  # which draws the validation images
    told = given.dvc("repro", "start").stdout
    [known] = re.findall(r"has learnt from (\d+) of the 8 validation images: validation scores are too good", told)
    assert 0 < int(known) <= 8
    given.edit_params(shuffle="true")
    refused = given.dvc("repro", "train", check=False)
    assert refused.returncode
    assert "of the 16 test images are among those that pretrained/first.safetensors" in refused.stdout


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"generator__width": "8", "discriminator__width": "6"},
            "pretrained/first.safetensors has other networks: train.generator.width 4 (here 8), "
            "train.discriminator.width 4 (here 6): set what it has, or begin from another model",
        ),
        ({"encoder": "efficientnet-lite0"}, "has other networks: train.generator.encoder plain (here efficientnet-lit"),
        ({"start_from": MODEL}, "params.yaml: train.start_from: write generator@VERSION, generator#STAGE, null, or a"),
        ({"start_from": "pretrained/none.safetensors"}, "pretrained/none.safetensors is missing"),
        ({"start_from": "pretrained/known.safetensors"}, "is known to DVC but not here: run `dvc pull"),
        (
            {"start_from": "pretrained/README.md"},
            "pretrained/README.md is damaged or not of",
        ),
    ],
)
def test_a_start_that_does_not_fit_is_one_line(given, change, told):
    begin_from(given, GIVEN)
    given.edit_params(**change)
    (given.path / "pretrained/known.safetensors.dvc").touch()
    for stage in ("start", "train"):
        result = given.stage(stage, check=False)
        if result.returncode:
            break
    assert result.returncode == 1
    assert told in result.stdout.splitlines()[-1]
    assert "Traceback" not in result.stdout


def test_the_guide_leads_from_a_folder_of_photographs_to_scores_before_and_after(given, photographs, prefect):
    album = given.path.with_name("album")
    album.mkdir()
    for number, codes in enumerate(photographs[:20]):
        Image.fromarray(codes_to_rgb(codes)).save(album / f"{number}.png")
    shutil.copyfile(given.path / MODEL, given.path / "pretrained/big.safetensors")
    given.edit_params(split__train="0.8", validation="0.1", split__test="0.2")
    guide = (ROOT / "docs/fine-tuning.md").read_text(encoding="utf-8")
    [commands, *_] = [block for block in re.findall(r"```sh\n(.*?)```", guide, re.DOTALL) if "import" in block]
    assert commands.count("\n") == 3
    printed = given.run("bash", "-ec", commands.replace("--size 64", "--size 32"), **prefect.environment).stdout
    assert "start: pretrained/big.safetensors" in prefect.logs(run_id(printed))
    scores = json.loads((given.path / "scratch/before-and-after.json").read_text(encoding="utf-8"))
    assert [Path(name).name for name in scores] == ["big.safetensors", "generator.safetensors"]
    assert re.search(r"models/generator.safetensors +\d+\.\d+ ", printed)
    assert len((given.path / "data/split/test.csv").read_text(encoding="utf-8").splitlines()) == 1 + 4
