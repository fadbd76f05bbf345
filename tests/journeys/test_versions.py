"""docs/versions.md, followed word for word in a temporary repository."""

import hashlib
import re
import stat

import pytest
import torch
from huggingface_hub import ModelCard
from ruamel.yaml import YAML

from colorizer.core.digests import file_digest
from colorizer.networks.checkpoints import load_generator
from tests.support.imports import ROOT
from tests.support.workspace import MINIATURE, Workspace, make_workspace, skip_beyond_ascii

pytestmark = pytest.mark.thorough

MODEL = "models/generator.safetensors"


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> tuple[Workspace, dict[str, str]]:
    """The workspace after the guide, and what every command printed."""
    folder = tmp_path_factory.mktemp("versions") / "colorization"
    skip_beyond_ascii(folder)
    workspace = make_workspace(folder)
    smaller = {"split__train": MINIATURE["sample__train"], "split__test": MINIATURE["sample__test"]}
    workspace.edit_params(**MINIATURE | smaller | {"learning_rate": "0.001"})
    workspace.git("add", "--all")
    workspace.git("commit", "--quiet", "--message=miniature")
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/versions.md").read_text(encoding="utf-8"), re.DOTALL)
    script = "set -e\n" + "".join(
        f"cat <<'EOF'\n$ {line}\nEOF\n{line}\n" for block in blocks for line in block.splitlines()
    )
    terminal = {"COLUMNS": "200", "PYTHONIOENCODING": "utf-8"}  # DVC draws its tables beyond ASCII
    printed = workspace.run("bash", "-c", script, **terminal).stdout
    commands: dict[str, str] = {}
    for command, text in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", printed, re.MULTILINE):
        commands[command] = commands.get(command, "") + text
    assert len(commands) > 30
    return workspace, commands


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def recorded(workspace, revision, path):
    """The MD5 that the lock of a revision names for an output."""
    lock = YAML(typ="safe").load(workspace.git("show", f"{revision}:dvc.lock"))
    return next(out["md5"] for stage in lock["stages"].values() for out in stage["outs"] if out["path"] == path)


def test_versions_differ_and_can_be_compared(followed):
    workspace, printed = followed
    assert recorded(workspace, "first", MODEL) != recorded(workspace, "second", MODEL)
    assert re.search(r"train.learning_rate +0.001 +0.0008", printed["dvc params diff first second"])
    assert re.search(r"model.psnr +\d", printed["dvc metrics diff first second"])


def test_the_old_version_is_whole_and_works(followed):
    _, printed = followed
    # Nothing to do after going back, and nothing at the colleague's.
    assert printed["dvc repro"].count("Data and pipelines are up to date.") == 2
    assert printed["dvc repro"].count("Running stage 'train'") == 2
    assert printed["git status --short"] == ""  # after scoring the old model again
    assert "Running stage 'evaluate'" in printed["dvc repro --single-item --force evaluate"]


def test_one_epoch_can_be_fetched(followed):
    workspace, _ = followed
    _, _, metadata = load_generator(workspace.path / "first-epoch-2.safetensors", torch.device("cpu"))
    assert metadata["epoch"] == 2
    assert metadata["training"]["params"]["train.learning_rate"] == 0.001


def test_one_epoch_can_be_checked_out_alone(followed):
    workspace, _ = followed
    path = workspace.path / "models/checkpoints/epoch-0001.safetensors"
    before = md5(path)
    path.unlink()
    workspace.dvc("checkout", "models/checkpoints/epoch-0001.safetensors")
    assert md5(path) == before


def test_a_colleague_gets_everything(followed):
    workspace, printed = followed
    colleague = workspace.path.with_name("colleague")
    assert md5(colleague / MODEL) == recorded(workspace, "second", MODEL)
    assert "38 files added" in printed["dvc pull"]


def test_models_are_fetched_by_name(followed):
    workspace, printed = followed
    assert md5(workspace.path / "newest.safetensors") == recorded(workspace, "second", MODEL)
    assert md5(workspace.path / "production.safetensors") == recorded(workspace, "first", MODEL)
    assert re.search(r"v1.0.0 +│ +prod", printed["gto show generator"])
    assert "generator#prod#1" in workspace.git("tag")


def test_models_are_made_ready_for_a_hub(followed):
    workspace, _ = followed
    for folder, version, license in (("hub", "second", "unknown"), ("hub-v1.0.0", "first", "cc-by-4.0")):
        hub = workspace.path.with_name(folder)
        assert md5(hub / "generator.safetensors") == recorded(workspace, version, MODEL)
        card = ModelCard.load(hub / "README.md")
        assert card.data["license"] == license
        assert file_digest(hub / "generator.safetensors") in card.text


def test_experiments_are_run_shown_and_taken(followed):
    workspace, printed = followed
    table = next(text for command, text in printed.items() if command.startswith("dvc exp show"))
    rows = {name: line.split() for line in table.splitlines() for name in ("half", "early") if f"[{name}]" in line}
    assert "0.0004" in rows["half"]
    assert {"0.0008", "0"} <= set(rows["early"])
    assert "learning_rate: 0.0004" in (workspace.path / "params.yaml").read_text(encoding="utf-8")


def test_a_second_run_leaves_the_cache_valid(followed):
    """Outputs are hard links into the cache: whatever wrote into one would have changed what a hash stands for."""
    workspace, _ = followed
    files = [path for path in (workspace.path / ".dvc/cache/files/md5").rglob("*") if path.is_file()]
    assert len(files) > 40
    for path in files:
        assert md5(path) == path.parent.name + path.name.removesuffix(".dir")
    store = workspace.path / "data/lab.npy"
    assert store.stat().st_nlink > 1  # else this test would show nothing
    assert not stat.S_IMODE(store.stat().st_mode) & 0o222
