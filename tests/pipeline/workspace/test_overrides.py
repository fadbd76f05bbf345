"""A preset, and single values, over the params.yaml that a user has."""

import re
import shutil

import pytest

from colorizer.core.errors import UserError
from pipeline.workspace.overrides import set_params
from settings.params_file import read_params
from tests.support.imports import ROOT

PARAMS = (ROOT / "params.yaml").read_text(encoding="utf-8")
EDITED = re.sub(r"\n  epochs: \d+\n", "\n  epochs: 5\n", PARAMS)


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    return tmp_path


@pytest.mark.parametrize(
    "before",
    [EDITED.encode(), PARAMS.encode("utf-16"), b"train: [", b"- 1\n", b"\xff\n"],
    ids=["edited", "UTF-16", "no YAML", "a list", "no text"],
)
def test_a_preset_replaces_what_is_there_and_keeps_it(folder, before):
    (folder / "params.yaml").write_bytes(before)
    *changes, kept = set_params(folder, "paper", {"train.epochs": 7})
    assert read_params(folder / "params.yaml").train.epochs == 7
    assert any(line.startswith("params.yaml: train.epochs ") and line.endswith(" -> 7") for line in changes)
    assert (folder / kept.removeprefix("params.yaml as it was is kept in ")).read_bytes() == before


@pytest.mark.parametrize("tracked", ["pretrained/mine/model.dvc", "pretrained/mine.dvc"])
def test_a_model_to_begin_from_has_to_be_here_or_known_to_dvc(folder, tracked):
    params = folder / "params.yaml"
    shutil.copy(folder / "presets" / "sample.yaml", params)
    before = params.read_bytes()
    change = {"train": {"start_from": "pretrained/mine/model"}}
    with pytest.raises(UserError, match="pretrained/mine/model is missing, which"):
        set_params(folder, None, change)
    assert params.read_bytes() == before
    (folder / tracked).parent.mkdir(parents=True)
    (folder / tracked).touch()
    assert set_params(folder, None, change) == ["params.yaml: train.start_from None -> pretrained/mine/model"]
    (folder / tracked).unlink()
    with pytest.raises(UserError, match="pretrained/mine/model is missing"):
        set_params(folder, None, {"train.epochs": 12})


def test_a_preset_in_place_of_another_needs_no_copy(folder):
    shutil.copy(folder / "presets" / "best.yaml", folder / "params.yaml")
    assert not any("kept" in line for line in set_params(folder, "paper", {}))
    assert not (folder / "scratch").exists()
