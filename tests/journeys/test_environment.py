"""Which Python and whose code run: without an activated environment, in a copy of the project, from another folder."""

from tests.support.workspace import BIN, UNACTIVATED, Workspace


def test_train_gan_finds_the_python_of_its_stages_without_activation(committed):
    """Flows do too: tests/pipeline/flows/test_rebuild.py."""
    committed.edit_params(learning_rate="0.003")
    assert "epoch 2/2" in committed.run(str(BIN / "python"), "train_gan.py", PATH=UNACTIVATED).stdout


def test_a_copy_of_the_project_runs_its_own_code(committed):
    (committed.path / "stages/locate.py").write_text("raise SystemExit('the copy')", encoding="utf-8")
    assert committed.run(str(BIN / "python"), "-m", "stages.locate", check=False).stdout == "the copy\n"
    assert "the copy\n" in committed.dvc("repro", "locate", check=False).stdout


def test_the_command_runs_in_any_folder(tmp_path):
    assert "Usage: colorizer" in Workspace(tmp_path).run(str(BIN / "colorizer"), "--help", PATH=UNACTIVATED).stdout
