"""dvc.yaml against the code: DVC does not follow imports, so every imported file must stand there."""

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.imports import ROOT, direct_imports, imported_files
from tests.workspace import BIN, without_prefect

GRAPH = YAML(typ="safe").load(ROOT / "dvc.yaml")
STAGES = GRAPH["stages"]


@pytest.mark.parametrize("name", STAGES)
def test_every_imported_file_is_a_dependency(name):
    declared = {dep for dep in STAGES[name]["deps"] if dep.endswith(".py")}
    assert declared == {str(path) for path in imported_files(Path("stages", f"{name}.py"))}


@pytest.mark.parametrize("name", STAGES)
def test_stage_module_and_command_share_a_name(name):
    assert STAGES[name]["cmd"] == f"python -m stages.{name}"


def test_the_import_graph_follows_imports(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.imports.ROOT", tmp_path)
    (tmp_path / "package").mkdir()
    for name, text in {"a": "import package.b", "b": "from package import c", "c": "import json", "d": ""}.items():
        (tmp_path / "package" / f"{name}.py").write_text(text)
    assert imported_files(Path("package/a.py")) == {Path(f"package/{name}.py") for name in "abc"}


@pytest.mark.parametrize("package", ["benchmarks", "colorizer", "pipeline", "stages"])
def test_package_files_are_empty(package):
    assert (ROOT / package / "__init__.py").read_text() == ""


def test_doors():
    """colorizer imports nothing but itself; nothing but train_gan.py, which writes params, imports stages."""
    for room, doors in (("colorizer", {"colorizer"}), ("benchmarks", {"benchmarks", "colorizer"})):
        for path in ROOT.glob(f"{room}/*.py"):
            assert {file.parts[0] for file in direct_imports(path.relative_to(ROOT))} <= doors, path


def test_the_data_stages_do_without_torch():
    modules = [f"stages.{name}" for name in ("sample", "locate", "load", "split", "concatenate", "normalize")]
    script = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_dvc_repro_does_without_prefect(miniature, tmp_path):
    """The miniature was made that way; here is that Prefect could not have been imported then."""
    assert (miniature.path / "metrics.json").exists()
    command = (str(BIN / "python"), "-c", "import prefect")
    assert "prefect is not installed" in miniature.run(*command, check=False, **without_prefect(tmp_path)).stdout


def test_the_flows_do_without_torch_and_know_params_only():
    for path in ROOT.glob("pipeline/*.py"):
        stages = {file.stem for file in direct_imports(path.relative_to(ROOT)) if file.parts[0] == "stages"}
        assert stages <= {"params", "params_file"}, path
    script = "import sys, pipeline.rebuild, pipeline.deployments; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
