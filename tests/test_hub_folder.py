"""`python -m colorizer publish`: a folder that a hub takes, and that works by itself."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from PIL import Image

from colorizer.data.sample import built_in_photographs
from colorizer.networks.checkpoints import read_checkpoint
from colorizer.networks.generator import rebuild_generator
from tests.support.colorizer_command import run_colorizer
from tests.support.workspace import Workspace

FILES = ["README.md", "config.json", "examples.png", "generator.safetensors"]


@pytest.fixture
def project(miniature, monkeypatch) -> Path:
    """The folder of a project in which `dvc repro` has run. It is left as it is."""
    monkeypatch.chdir(miniature.path)
    return miniature.path


@pytest.fixture
def copied(project, tmp_path, monkeypatch) -> Path:
    """A copy of its model and card, which may be changed."""
    (tmp_path / "project/models").mkdir(parents=True)
    for name in ("generator.safetensors", "README.md", "examples.png"):
        shutil.copyfile(project / "models" / name, tmp_path / "project/models" / name)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project/models"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_is_what_a_hub_takes(project, tmp_path, capsys):
    out = tmp_path / "new/hub"
    assert run_colorizer("publish", "--out", out) == 0
    said = capsys.readouterr().err
    assert f"hf upload USER/NAME {out}\n" in said
    assert "--license names one" in said
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert all(path.is_file() and not path.is_symlink() for path in out.iterdir())
    assert [path.name for path in out.parent.iterdir()] == ["hub"]
    for name in ("README.md", "examples.png", "generator.safetensors"):
        assert (out / name).read_bytes() == (project / "models" / name).read_bytes()
    card = ModelCard.load(out / "README.md")
    assert card.data["license"] == "unknown"
    assert {link for link in re.findall(r"\]\((.*?)\)", card.text) if "//" not in link} == {"examples.png"}
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    rebuild_generator(**config["generator"]).load_state_dict(read_checkpoint(out / "generator.safetensors").generator)
    assert config["image_shape"] == [32, 32]


def test_it_works_as_its_card_says(project, tmp_path):
    """Command and program of the card, in the folder. The export is that of tests/test_export.py."""
    hub = Workspace(tmp_path / "hub")
    assert run_colorizer("publish", "--out", hub.path) == 0
    pixels = dict(built_in_photographs())["china.jpg"]
    Image.fromarray(pixels).convert("L").save(hub.path / "old.jpg")
    card = (hub.path / "README.md").read_text(encoding="utf-8")
    [command] = re.findall(r"```sh\n(.*?)```", card, re.DOTALL)
    [program] = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert "\n`python -m colorizer export --model generator.safetensors --onnx generator.onnx` writes" in card
    hub.run("bash", "-ec", command)
    hub.run("python", "-c", program)
    with Image.open(hub.path / "coloured/old.png") as one, Image.open(hub.path / "coloured.png") as other:
        assert one.size == other.size == pixels.shape[1::-1]
        assert np.ptp(np.asarray(one).astype(int), axis=-1).max() > 0  # not grey
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_a_licence_changes_one_field(project, tmp_path):
    assert run_colorizer("publish", "--out", tmp_path / "hub", "--license", "cc-by-4.0") == 0
    mine, before = ModelCard.load(tmp_path / "hub/README.md"), ModelCard.load(project / "models/README.md")
    assert mine.data["license"] == "cc-by-4.0"
    mine.data["license"] = "unknown"
    assert str(mine) == str(before)


def test_files_are_replaced_only_when_told_and_others_stay(project, tmp_path, capsys):
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    (tmp_path / ".gitattributes").write_text("mine too", encoding="utf-8")
    before = contents(tmp_path)
    assert run_colorizer("publish", "--out", tmp_path) == 1
    assert "holds files: choose another folder, or --force to replace those of a model there" in capsys.readouterr().err
    assert contents(tmp_path) == before
    assert run_colorizer("publish", "--out", tmp_path, "--force") == 0
    assert sorted(contents(tmp_path)) == sorted([*FILES, ".gitattributes"])
    assert (tmp_path / ".gitattributes").read_text(encoding="utf-8") == "mine too"
    assert ModelCard.load(tmp_path / "README.md").data["pipeline_tag"] == "image-to-image"


MISTAKES = {
    "a licence in prose": (["--license", "my own"], "--license my own: hubs write licences like apache-2.0"),
    "no model": (["--model", "models/none.safetensors"], "models/none.safetensors is missing; `dvc repro` writes"),
    "an epoch": (
        ["--model", "models/checkpoints/epoch-0001.safetensors"],
        "models/checkpoints/epoch-0001.safetensors has no card: README.md beside it is missing",
    ),
    "no version": (["--model", "generator@v9"], "generator@v9 is not registered in"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(project, tmp_path, capsys, name):
    arguments, told = MISTAKES[name]
    assert run_colorizer("publish", "--out", tmp_path / "hub", *arguments) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert told in line
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_else_is_left_whole(project, tmp_path, capsys):
    """A folder in the place of a file, an export of an earlier model, and a folder that looks like one of ours."""
    (tmp_path / "hub/config.json").mkdir(parents=True)
    (tmp_path / "hub/generator.onnx").touch()
    (tmp_path / ".hub.partial").mkdir()
    before = contents(tmp_path)
    assert run_colorizer("publish", "--out", tmp_path / "hub", "--force") == 1
    assert "config.json is a folder: choose another place" in capsys.readouterr().err
    assert contents(tmp_path) == before
    (tmp_path / "hub/config.json").rmdir()
    assert run_colorizer("publish", "--out", tmp_path / "hub", "--force", "--license", "openrail++") == 0
    assert f"{tmp_path}/hub/generator.onnx may be of another model: export it again" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "hub").iterdir()) == sorted([*FILES, "generator.onnx"])
    assert (tmp_path / ".hub.partial").is_dir()


def test_the_card_of_another_model_and_damage_are_refused(copied, tmp_path, capsys):
    content = (copied / "generator.safetensors").read_bytes()
    (copied / "generator.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert run_colorizer("publish", "--out", tmp_path / "hub") == 1
    assert "generator.safetensors is damaged" in capsys.readouterr().err
    (copied / "generator.safetensors").write_bytes(content)
    (copied / "README.md").write_text("---\nlicense: mit\n---\nOf an earlier model.", encoding="utf-8")
    assert run_colorizer("publish", "--out", tmp_path / "hub") == 1
    assert "README.md is about another model than" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


def test_the_folder_of_the_model_and_a_file_are_no_place_for_it(copied, tmp_path, capsys):
    before = contents(tmp_path)
    assert run_colorizer("publish", "--out", "models", "--force") == 1
    assert "models holds the model itself" in capsys.readouterr().err
    assert run_colorizer("publish", "--out", "models/README.md", "--force") == 1
    assert "models/README.md is a file: a folder is needed" in capsys.readouterr().err
    assert contents(tmp_path) == before
