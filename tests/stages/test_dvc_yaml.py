"""dvc.yaml against the code: DVC does not follow imports, so every imported package must stand there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.support.imports import ROOT, imported_files, modules_in
from tests.support.workspace import BIN, without_prefect

GRAPH = YAML(typ="safe").load(ROOT / "dvc.yaml")
STAGES = GRAPH["stages"]


def declared_code(name: str) -> set[Path]:
    return {Path(dep) for dep in STAGES[name]["deps"] if dep.split("/")[0] in ("colorizer", "settings", "stages")}


def module(name: str) -> Path:
    package = Path("stages", name)
    return package if (ROOT / package).is_dir() else package.with_suffix(".py")


def is_below(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


@pytest.mark.parametrize("name", STAGES)
def test_every_imported_file_is_declared_and_no_package_without_need(name):
    imported, declared = imported_files(module(name)), declared_code(name)
    assert {path for path in imported if not any(is_below(path, dep) for dep in declared)} == set()
    assert {dep for dep in declared if not any(is_below(path, dep) for path in imported)} == set()


@pytest.mark.parametrize(("name", "upstream"), [("train", None), ("evaluate", "train")])
def test_no_edit_makes_a_long_stage_stale_without_need(name, upstream):
    """Every file of a declared package is imported by the stage, or by the one whose output it reads."""
    imported = imported_files(module(name)) | (imported_files(module(upstream)) if upstream else set())
    files = {file for dep in declared_code(name) for file in (modules_in(str(dep)) or [dep])}
    assert files - imported == set()


@pytest.mark.parametrize("name", STAGES)
def test_stage_module_and_command_share_a_name(name):
    assert STAGES[name]["cmd"] == f"python -m stages.{name}"


def test_the_import_graph_follows_imports(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.support.imports.ROOT", tmp_path)
    (tmp_path / "package").mkdir()
    for name, text in {"a": "import package.b", "b": "from package import c", "c": "import json", "d": ""}.items():
        (tmp_path / "package" / f"{name}.py").write_text(text, encoding="utf-8")
    assert imported_files(Path("package/a.py")) == {Path(f"package/{name}.py") for name in "abc"}


def test_an_edit_makes_stale_what_imports_it_and_nothing_else(miniature, tmp_path):
    """A touched page, report, photograph or Prefect file leaves training alone; a touched loss does not."""
    workspace = miniature.copy(tmp_path / "edited")

    def stale(*edited: str) -> set[str]:
        texts = {path: path.read_text(encoding="utf-8") for path in (workspace.path / name for name in edited)}
        for path, text in texts.items():
            path.write_text(text + "\n# edited\n", encoding="utf-8")
        status = json.loads(workspace.dvc("status", "--json").stdout)
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
        return set(status)

    without_a_stage = (
        "colorizer/page/page.py",
        "colorizer/photographs/colorizing.py",
        "colorizer/hub_folder.py",
        "colorizer/__main__.py",
        "pipeline/flows/rebuild.py",
        "pipeline/process/guard.py",
    )
    assert stale(*without_a_stage) == set()
    assert stale("colorizer/report/html.py") == {"evaluate"}
    assert stale("colorizer/models/model.py") == {"start"}
    assert "train" not in stale("colorizer/data/raw.py")
    assert stale("colorizer/training/losses.py") == {"train"}
    assert stale("colorizer/networks/generator.py") == {"encode", "start", "train", "evaluate"}


def test_compiled_files_are_no_dependency(miniature, tmp_path):
    workspace = miniature.copy(tmp_path / "compiled")
    workspace.run(str(BIN / "python"), "-m", "compileall", "-q", "-f", "colorizer", "settings", "stages")
    assert json.loads(workspace.dvc("status", "--json").stdout) == {}


def test_the_data_stages_do_without_torch():
    modules = [f"stages.{name}" for name in ("sample", "locate", "load", "split", "concatenate", "normalize", "start")]
    script = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_dvc_repro_does_without_prefect(miniature, tmp_path):
    """All of the miniature was made that way, see `make_miniature`."""
    workspace, environment = miniature.copy(tmp_path / "clone"), without_prefect(tmp_path / "without")
    command = (str(BIN / "python"), "-c", "import prefect")
    assert "prefect is not installed" in workspace.run(*command, check=False, **environment).stdout
    assert "Running stage 'locate'" in workspace.dvc("repro", "--force", "locate", **environment).stdout
