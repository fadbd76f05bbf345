"""Who may import whom: the arrows that docs/architecture.md draws."""

import re
import subprocess
import sys
from collections.abc import Collection
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

from tests.support.imports import ROOT, direct_imports, imported_names, modules_in

TOP_LEVEL = ("colorizer", "settings", "stages", "pipeline")


def package(module: Path) -> str:
    return module.parent.as_posix()


def arrows() -> dict[str, set[str]]:
    """For each package, the other packages of which it imports a module."""
    found: dict[str, set[str]] = {}
    for module in (module for top in TOP_LEVEL for module in modules_in(top)):
        others = {package(imported) for imported in direct_imports(module)} - {package(module)}
        found.setdefault(package(module), set()).update(others)
    return found


def drawn() -> dict[str, set[str]]:
    """The packages in the tree of docs/architecture.md, from top to bottom, with the packages after their arrows."""
    tree = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("```")[1]
    names: dict[str, list[str]] = {}
    folder = ""
    for line in filter(None, tree.splitlines()):
        branch, name, arrow = re.fullmatch(r"([├└]── )?(\S+) .*?(?: -> (.*))?", line).groups()
        if not branch:
            folder = name.rstrip("/")
        if branch or arrow:  # a folder without an arrow is a heading: its own files are the line `*.py`
            full = folder if not branch or name == "*.py" else f"{folder}/{name.rstrip('/')}"
            names[full] = arrow.split(", ") if arrow else []
    return {full: {_in_full(name, full, names) for name in found} for full, found in names.items()}


def _in_full(name: str, importer: str, known: Collection[str]) -> str:
    """The package for which a name after an arrow stands: one of the same folder, `settings`, or one of colorizer/."""
    beside = f"{importer.split('/')[0]}/{name}"
    return next((full for full in (beside, name) if full in known), f"colorizer/{name}")


def test_packages_import_what_they_may_and_no_arrow_is_drawn_in_vain():
    assert arrows() == drawn()


def test_there_is_no_circle():
    waiting = {name: set(others) for name, others in arrows().items()}
    while free := {name for name, others in waiting.items() if not others & waiting.keys()}:
        for name in free:
            del waiting[name]
    assert not waiting


def test_a_package_can_be_seen_whole():
    for name in arrows():
        files = [path for path in modules_in(name) if package(path) == name]
        assert len(files) <= 12, f"{name} holds {len(files)} files: divide it"


@pytest.mark.parametrize("folder", ["benchmarks", *TOP_LEVEL])
def test_package_files_are_empty(folder):
    for path in (ROOT / folder).rglob("__init__.py"):
        assert path.read_text(encoding="utf-8") == "", path


def test_benchmarks_import_the_library_alone():
    for module in modules_in("benchmarks"):
        assert {imported.parts[0] for imported in direct_imports(module)} <= {"benchmarks", "colorizer"}, module


def test_every_package_that_is_imported_is_in_the_requirements():
    files = set(ROOT.glob("requirements*.txt")) - {ROOT / "requirements-dev.txt"}
    lines = [line.split("#")[0].strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    requirements = {canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("-")}
    modules = [Path("train_gan.py"), *(module for top in TOP_LEVEL for module in modules_in(top))]
    imported = {name.split(".")[0] for module in modules for name in imported_names(module)}
    distributions = packages_distributions()
    undeclared = {
        name
        for name in imported - sys.stdlib_module_names - {*TOP_LEVEL}
        if not requirements & {canonicalize_name(found) for found in distributions.get(name, [name])}
    }
    assert undeclared == {"dask", "distributed", "prefect_dask"}  # of --dask, which says what to install


def test_every_arrow_of_the_tree_points_down():
    order = list(drawn())
    for name, others in drawn().items():
        assert all(order.index(name) < order.index(other) for other in others), name


@pytest.mark.parametrize(
    "command", ["from colorizer.__main__ import main; main()", "from pipeline.__main__ import main; main()"]
)
def test_help_needs_no_large_package(command):
    heavy = ("torch", "av", "prefect", "gradio", "matplotlib", "dvc", "numpy", "cv2", "PIL", "pydantic")
    script = (
        "import sys, atexit; sys.argv = ['command', '--help'];"
        f"atexit.register(lambda: print('heavy:', [name for name in {heavy} if name in sys.modules]));{command}"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, encoding="utf-8"
    ).stdout
    assert "Usage" in printed
    assert "heavy: []" in printed


def test_importing_photographs_does_without_pytorch(tmp_path):
    Image.fromarray(np.full((70, 70, 3), (200, 90, 30), np.uint8)).save(tmp_path / "red.png")
    command = ["colorizer", "import", str(tmp_path), "--out", str(tmp_path / "out")]
    script = (
        f"import sys; sys.argv = {command}; from colorizer.__main__ import main\n"
        "try: main()\n"
        "finally: assert not {'torch', 'av'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
    assert (tmp_path / "out" / "l" / "gray_scale.npy").is_file()


def test_the_flows_do_without_pytorch():
    script = "import sys, pipeline.flows.rebuild, pipeline.deployments; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
