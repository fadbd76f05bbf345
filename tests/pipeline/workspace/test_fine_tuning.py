"""The params of a refresh that fine-tunes: those of the last refresh, and those of the commit that is built."""

import pytest

from colorizer.models.registry import Version
from pipeline.workspace.fine_tuning import begin_from_promoted, take_up_last_refresh
from pipeline.workspace.repository import Clone
from settings.params_file import read_params
from tests.support.workspace import Workspace, make_workspace


@pytest.fixture
def project(tmp_path) -> Workspace:
    workspace = make_workspace(tmp_path / "project")
    workspace.edit_params(epochs="6", decay_epochs="3", start_from="null")
    workspace.git("commit", "--quiet", "--all", "--message=Recipe")
    return workspace


def clone_of(project: Workspace) -> tuple[Clone, str]:
    clone = Clone(project.path, project.path / "scratch/refresh", "refresh")
    commit = project.git("rev-parse", "HEAD").strip()
    clone.check_out(commit)
    return clone, commit


def test_what_the_last_refresh_set_is_known_and_does_not_stay(project):
    last = None
    for epochs, expected in ((1, (1, 1)), (6, (6, 3)), (8, (8, 3))):
        clone, commit = clone_of(project)
        clone.restore(commit, "params.yaml")
        assert read_params(clone.path / "params.yaml").train.epochs == 6
        assert take_up_last_refresh(clone) == last
        last = epochs
        begin_from_promoted(clone, commit, Version(name="v0.1.0", commit=commit), epochs)
        options = read_params(clone.path / "params.yaml").train
        assert (options.epochs, options.decay_epochs) == expected
        assert (options.start_from, options.l1_pretrain_epochs) == ("generator@v0.1.0", 0)
        clone.commit(f"{epochs} epochs")
        clone.hand_over()


def test_params_of_an_earlier_version_of_the_project_are_taken_up(project):
    clone, commit = clone_of(project)
    params = clone.path / "params.yaml"
    kept = [line for line in params.read_text(encoding="utf-8").splitlines() if "start_from" not in line]
    params.write_text("\n".join(kept).replace("epochs: 6", "epochs: 5"), encoding="utf-8")
    clone.commit("Before there was train.start_from")
    clone.hand_over()
    clone, commit = clone_of(project)
    clone.restore(commit, "params.yaml")
    assert take_up_last_refresh(clone) is None
    assert read_params(params).train.epochs == 5
