"""Copies of the workspace."""

import os
import shutil
from pathlib import Path

import pytest
from dvc.config import Config

from pipeline.workspace.workspaces import copy_workspace
from tests.support.workspace import BIN, FOREIGN_NAME, Workspace


def make_copy(workspace: Workspace) -> Workspace:
    copy = Workspace(workspace.path / "scratch" / "copy")
    copy.path.mkdir(parents=True, exist_ok=True)
    (copy.path / "params.yaml").write_bytes((workspace.path / "params.yaml").read_bytes())
    copy_workspace(workspace.path, copy.path)
    return copy


def test_a_copy_has_what_the_workspace_has_and_makes_nothing_twice(miniature, tmp_path):
    workspace = miniature.copy(tmp_path / "workspace")
    (workspace.path / "colorizer" / "training" / "losses.py").write_text("# changed, not committed\n", encoding="utf-8")
    (workspace.path / "colorizer" / "new.py").write_text("# not known to git\n", encoding="utf-8")
    copy = Workspace(workspace.path / "scratch" / "copy")
    (copy.path / "stages").mkdir(parents=True)
    (copy.path / "params.yaml").write_bytes((workspace.path / "params.yaml").read_bytes())
    copy_workspace(workspace.path, copy.path)
    for name in ("training/losses.py", "new.py"):
        assert (copy.path / "colorizer" / name).read_text(encoding="utf-8").startswith("# ")
    assert (copy.path / "data" / "l").resolve() == workspace.path / "data" / "l"
    assert (copy.path / "logs").resolve() == workspace.path / "logs"
    printed = copy.run(str(BIN / "dvc"), "repro", "normalize", "split").stdout
    assert printed.count("is cached - skipping run, checking out outputs") == 5
    assert "Running stage" not in printed


def test_what_the_workspace_has_no_more_goes_and_what_was_made_in_the_copy_stays(miniature, tmp_path):
    workspace = miniature.copy(tmp_path / "workspace")
    (workspace.path / "new.py").write_text("# not known to git\n", encoding="utf-8")
    (workspace.path / "mine").mkdir()
    (workspace.path / "mine/notes.md").write_text("first a folder\n", encoding="utf-8")
    (workspace.path / "yours").write_text("first a file\n", encoding="utf-8")
    copy = make_copy(workspace)
    (copy.path / "models").mkdir()
    (copy.path / "models/generator.safetensors").write_text("trained here\n", encoding="utf-8")
    (workspace.path / "new.py").unlink()
    (workspace.path / "colorizer/hub_folder.py").unlink()
    workspace.git("rm", "--quiet", "presets/best.yaml")
    (workspace.path / "yours").unlink()
    (workspace.path / "mine").rename(workspace.path / "yours")
    (workspace.path / "mine").write_text("now a file\n", encoding="utf-8")
    make_copy(workspace)
    assert (copy.path / "mine").read_text(encoding="utf-8") == "now a file\n"
    assert (copy.path / "yours/notes.md").is_file()
    for name in ("new.py", "colorizer/hub_folder.py", "presets/best.yaml"):
        assert not (copy.path / name).exists()
    for name in ("models/generator.safetensors", "dvc.lock", "params.yaml", "colorizer/console.py"):
        assert (copy.path / name).is_file()


@pytest.mark.parametrize("root", ["data", "mine"])
def test_links_lead_to_the_arrays_of_now_and_those_are_never_touched(miniature, tmp_path, root):
    """Arrays in `mine` are not ignored by git, and even committed here."""
    workspace = miniature.copy(tmp_path / "workspace")
    if root == "mine":
        (workspace.path / "mine").mkdir()
        for name in ("l", "ab"):
            shutil.move(workspace.path / "data" / name, workspace.path / "mine" / name)
        workspace.edit_params(root="mine")
        workspace.git("add", "mine")
    arrays = workspace.path / root / "l"
    content = (arrays / "gray_scale.npy").read_bytes()

    def linked() -> Path:
        copy = make_copy(workspace)
        assert (copy.path / root / "l").is_symlink()
        assert (copy.path / root / "l" / "gray_scale.npy").read_bytes() == content
        return (copy.path / root / "l").resolve()

    assert linked() == arrays
    assert linked() == arrays
    for other in ("one", "two"):  # the first is gone when the link to the second is made
        shutil.move(arrays.resolve(), tmp_path / other)
        arrays.unlink(missing_ok=True)
        arrays.symlink_to(tmp_path / other)
        assert linked() == tmp_path / other
    arrays.unlink()
    shutil.move(tmp_path / "two", arrays)
    workspace.dvc("add", f"{root}/l", check=root == "data")  # DVC takes nothing that git tracks
    if root == "data":
        copy = make_copy(workspace)
        assert not (copy.path / root / "l").exists()
        copy.dvc("checkout", f"{root}/l")
        workspace.dvc("remove", f"{root}/l.dvc")
        assert linked() == arrays
    assert (arrays / "gray_scale.npy").read_bytes() == content
    assert (workspace.path / root / "ab").is_dir()


def test_a_copy_remembers_no_folder_of_a_project_that_was_copied_or_has_any_letters(miniature, tmp_path):
    workspace = miniature.copy(tmp_path / FOREIGN_NAME)
    workspace.dvc("remote", "add", "--default", "storage", "../storage")
    (workspace.path / ".dvc/config").write_text(
        (workspace.path / ".dvc/config").read_text(encoding="utf-8")
        + f"['remote \"elsewhere\"']\nurl = /srv/{FOREIGN_NAME}\n",
        encoding="utf-8",
    )
    copy = make_copy(workspace)
    (copy.path / ".dvc/tmp").mkdir()
    (copy.path / ".dvc/tmp/rwlock").write_text("", encoding="utf-8")
    second = workspace.copy(tmp_path / "second")
    for used in (workspace, second):
        copy = make_copy(used)
        assert os.fspath(tmp_path) not in (copy.path / ".dvc/config.local").read_text(encoding="utf-8")
        assert (copy.path / ".dvc/config.local").stat().st_mode & 0o077 == 0  # a remote may hold secrets
        config = Config(str(copy.path / ".dvc"))
        assert Path(config["cache"]["dir"]) == used.path / ".dvc/cache"
        assert Path(config["remote"]["storage"]["url"]) == tmp_path / "storage"
        assert config["remote"]["elsewhere"]["url"] == f"/srv/{FOREIGN_NAME}"
        assert config["core"]["remote"] == "storage"
        assert "is cached - skipping run" in copy.dvc("repro", "locate", LC_ALL="C").stdout
    shutil.rmtree(workspace.path)
    moved = Workspace(second.path.rename(tmp_path / "moved"))
    copy = make_copy(moved)
    assert (copy.path / "logs").resolve() == moved.path / "logs"
    assert "didn't change, skipping" in copy.dvc("repro", "locate").stdout


def test_a_project_in_a_subfolder_of_a_repository_is_copied(miniature, tmp_path):
    (tmp_path / "all").mkdir()
    workspace = miniature.copy(tmp_path / "all" / "project")
    shutil.move(workspace.path / ".git", tmp_path / "all" / ".git")
    for _ in range(2):
        copy = make_copy(workspace)
        assert (copy.path / "colorizer/console.py").is_file()
        assert not (copy.path / "project").exists()


def test_a_clone_has_the_same_bytes_whatever_git_does_to_line_ends(miniature, tmp_path):
    miniature.git("-c", "core.autocrlf=true", "clone", "--quiet", ".", str(tmp_path / "clone"))
    for name in ("dvc.yaml", "stages/train.py"):
        assert (tmp_path / "clone" / name).read_bytes() == (miniature.path / name).read_bytes()


def test_git_ignores_what_stages_make_if_it_is_a_link_too(miniature, tmp_path):
    workspace = miniature.copy(tmp_path / "workspace")
    for name in ("data/l", "data/ab", "data/sample", "models", "reports", "scratch", "logs", ".venv", "votes"):
        if (workspace.path / name).is_dir():
            shutil.rmtree(workspace.path / name)
        (workspace.path / name).symlink_to(tmp_path)
    assert "?" not in workspace.git("status", "--short", "--untracked-files=all")
