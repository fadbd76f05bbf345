"""Which Python and whose code run: without an activated environment, in a copy of the project, from another folder."""

from tests.support.rebuilding import REBUILD
from tests.support.workspace import BIN, UNACTIVATED, Workspace


def test_flows_and_train_gan_find_the_python_of_their_stages_without_activation(committed, prefect):
    committed.edit_params(learning_rate="0.002")
    committed.run(*REBUILD, PATH=UNACTIVATED, **prefect.environment)
    assert committed.dvc("status", "train").stdout == "Data and pipelines are up to date.\n"
    committed.edit_params(learning_rate="0.003")
    assert "epoch 2/2" in committed.run(str(BIN / "python"), "train_gan.py", PATH=UNACTIVATED).stdout


def test_a_copy_of_the_project_runs_its_own_code(committed):
    (committed.path / "stages/locate.py").write_text("raise SystemExit('the copy')")
    assert committed.stage("locate", check=False).stdout == "the copy\n"
    assert "the copy\n" in committed.dvc("repro", "locate", check=False).stdout


def test_the_command_runs_in_any_folder(tmp_path):
    assert "Usage: colorizer" in Workspace(tmp_path).run(str(BIN / "colorizer"), "--help", PATH=UNACTIVATED).stdout
