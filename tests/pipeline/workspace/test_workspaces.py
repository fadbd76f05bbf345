"""Copies of the workspace."""

from pipeline.workspace.workspaces import copy_workspace
from tests.support.workspace import BIN, Workspace


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
    printed = copy.run(str(BIN / "dvc"), "repro", "normalize", "split").stdout
    assert printed.count("is cached - skipping run, checking out outputs") == 5
    assert "Running stage" not in printed
