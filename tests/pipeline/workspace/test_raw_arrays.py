"""What the raw arrays of a workspace hold, and what of them a sweep refuses."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from colorizer.core.errors import UserError
from pipeline.workspace.raw_arrays import (
    read_contents,
    refuse_other_contents,
    refuse_unversioned_arrays,
    unversioned_arrays,
)
from pipeline.workspace.workspaces import copy_workspace
from tests.support.workspace import Workspace

GREY = Path("data/l/gray_scale.npy")


@pytest.fixture
def workspace(miniature, tmp_path) -> Workspace:
    return miniature.copy(tmp_path / "workspace")


def change(folder: Path, array: Path = GREY) -> None:
    codes = np.load(folder / array)
    codes[0, 0, 0] ^= 1
    (folder / array).unlink()  # perhaps a link into DVC's cache
    np.save(folder / array, codes)


def test_contents_are_those_that_dvc_records_wherever_the_arrays_lie(workspace, tmp_path):
    path = workspace.path
    contents = read_contents(path)
    assert [*contents] == ["data/l", "data/ab"]
    refuse_other_contents(path, contents)  # dvc.lock tells the same

    shutil.move(path / "data/l", tmp_path / "arrays")
    (path / "data/l").symlink_to("../../arrays")
    assert read_contents(path) == contents
    (path / "data/l").unlink()
    shutil.move(tmp_path / "arrays", path / "data/l")
    workspace.dvc("add", "data/l", "data/ab")
    assert read_contents(path) == contents
    shutil.rmtree(path / "data/l")
    assert read_contents(path) == contents  # DVC has them
    workspace.dvc("checkout", "data/l")

    change(path)
    with pytest.raises(
        UserError, match=r"^data/l is not what data/l.dvc names: take it with `dvc commit --force data/l.dvc`, or"
    ):
        read_contents(path)
    workspace.dvc("add", "data/l")
    changed = read_contents(path)
    assert changed["data/ab"] == contents["data/ab"]
    assert changed["data/l"] != contents["data/l"]
    with pytest.raises(UserError, match=r"^data/l changed during the sweep, so scores cannot be compared: start it"):
        refuse_other_contents(path, changed)


def test_the_commands_that_are_told_can_be_pasted(workspace, tmp_path):
    root = Path("data", "it's $HOME, `here`")
    (workspace.path / root).mkdir()
    for name in ("l", "ab"):
        (workspace.path / "data" / name).rename(workspace.path / root / name)
    workspace.edit_params(root=json.dumps(str(root)))
    clone = tmp_path / "clone"
    clone.mkdir()
    shutil.copy(workspace.path / "params.yaml", clone)
    with pytest.raises(UserError, match="is not under DVC") as told:
        refuse_unversioned_arrays(workspace.path, clone)
    paste(workspace, re.search("`(dvc add .*)` and commit", str(told.value)))
    contents = read_contents(workspace.path)
    change(workspace.path, root / "l/gray_scale.npy")
    with pytest.raises(UserError, match=r"is not what .* names") as told:
        read_contents(workspace.path)
    command = re.search("`(dvc checkout .*)`", str(told.value))
    paste(workspace, re.match("(.*)", f"{command[1]} --force"))
    assert read_contents(workspace.path) == contents


@pytest.mark.parametrize("content", ["", "- 1\n", "outs: 3\n", "outs: [3]\n", "outs: [{md5: 0}]\n", "outs: [\n", "3\n"])
def test_a_damaged_file_of_dvc_is_named(workspace, content):
    (workspace.path / "data/l.dvc").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"data/l\.dvc is damaged: get it back with git"):
        read_contents(workspace.path)


def paste(workspace: Workspace, command: re.Match[str] | None) -> None:
    assert command
    workspace.run("bash", "-c", command[1])


def test_arrays_outside_are_read_too_and_the_sample_counts_by_its_params(workspace, tmp_path):
    contents = read_contents(workspace.path)
    for name in ("l", "ab"):
        shutil.move(workspace.path / "data" / name, tmp_path / name)
    workspace.edit_params(root=str(tmp_path))
    assert [*read_contents(workspace.path).values()] == [*contents.values()]
    workspace.edit_params(root="data/sample", split__train="16", split__test="8")
    assert read_contents(workspace.path) == {}


def test_a_root_that_leads_elsewhere_from_a_copy_is_refused_and_nothing_is_touched(workspace, tmp_path):
    project = workspace.copy(tmp_path / "one" / "two" / "three" / "project")
    shutil.copytree(project.path / "data", tmp_path / "one" / "data")
    project.edit_params(root="../../../data")  # from the copy: data/ of the project
    copy = project.path / "scratch" / "sweep" / "copy"
    for use in (read_contents, lambda folder: copy_workspace(folder, copy)):
        with pytest.raises(
            UserError, match=r"^data.root \.\./\.\./\.\./data leads out of the project.* write the whole"
        ):
            use(project.path)
    assert (project.path / GREY).is_file()


def test_what_dvc_brings_is_never_linked_whatever_its_file_is_called_and_however_a_stage_lists_it(workspace):
    assert unversioned_arrays(workspace.path) == [Path("data/l"), Path("data/ab")]
    contents = read_contents(workspace.path)
    workspace.dvc("add", "data/l")
    (workspace.path / "data/l.dvc").rename(workspace.path / "data/lightness.dvc")
    assert unversioned_arrays(workspace.path) == [Path("data/ab")]
    assert read_contents(workspace.path) == contents
    graph = YAML(typ="safe").load(workspace.path / "dvc.yaml")
    graph["stages"]["mine"] = {"cmd": "false", "outs": [{"data/ab": {"persist": True}}]}
    (workspace.path / "dvc.yaml").write_text(json.dumps(graph), encoding="utf-8")  # lists in a line, as in YAML
    assert unversioned_arrays(workspace.path) == []
    assert [*read_contents(workspace.path)] == ["data/l"]


def test_a_data_set_of_another_project_is_hashed_as_it_lies_there(workspace, tmp_path):
    contents = read_contents(workspace.path)
    other = workspace.copy(tmp_path / "registry")
    other.dvc("add", "data/l", "data/ab")
    workspace.edit_params(root=str(other.path / "data"))
    assert [*read_contents(workspace.path).values()] == [*contents.values()]
    assert unversioned_arrays(workspace.path) == []


def test_a_folder_of_arrays_that_was_added_as_one(workspace):
    (workspace.path / "data/mine").mkdir()
    for name in ("l", "ab"):
        shutil.move(workspace.path / "data" / name, workspace.path / "data/mine" / name)
    workspace.edit_params(root="data/mine")
    workspace.dvc("add", "data/mine")
    assert [*read_contents(workspace.path)] == ["data/mine"]


def test_what_cannot_be_read_is_one_line(workspace, tmp_path):
    shutil.move(workspace.path / "data/l", tmp_path / "gone")
    (workspace.path / "data/l").symlink_to(tmp_path / "arrays")
    with pytest.raises(UserError, match=r"^data/l is a link to .*/arrays, which is gone: put it back$"):
        read_contents(workspace.path)
    (tmp_path / "arrays").mkdir()
    (tmp_path / "arrays/gray_scale.npy").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"^data/l cannot be read: "):
        read_contents(workspace.path)
