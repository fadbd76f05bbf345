"""A preset, and single values, over the params.yaml that a user has."""

import re
import shutil

import pytest

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


def test_a_preset_in_place_of_another_needs_no_copy(folder):
    shutil.copy(folder / "presets" / "best.yaml", folder / "params.yaml")
    assert not any("kept" in line for line in set_params(folder, "paper", {}))
    assert not (folder / "scratch").exists()
