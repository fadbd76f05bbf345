"""Places beside the workspace."""

from pipeline.workspace.places import copy_workspace
from tests.support.workspace import BIN, Workspace


def test_a_place_has_what_the_workspace_has_and_makes_nothing_twice(miniature, tmp_path):
    workspace = miniature.copy(tmp_path / "workspace")
    (workspace.path / "colorizer" / "losses.py").write_text("# changed, not committed\n")
    (workspace.path / "colorizer" / "new.py").write_text("# not known to git\n")
    place = Workspace(workspace.path / "scratch" / "place")
    (place.path / "stages").mkdir(parents=True)
    (place.path / "params.yaml").write_bytes((workspace.path / "params.yaml").read_bytes())
    copy_workspace(workspace.path, place.path)
    for name in ("losses.py", "new.py"):
        assert (place.path / "colorizer" / name).read_text().startswith("# ")
    assert (place.path / "data" / "l").resolve() == workspace.path / "data" / "l"
    printed = place.run(str(BIN / "dvc"), "repro", "normalize", "split").stdout
    assert printed.count("is cached - skipping run, checking out outputs") == 5
    assert "Running stage" not in printed
