"""The library installed from a wheel, without the project's folder: its command in any folder."""

import sys
import sysconfig
from pathlib import Path

import pytest
from PIL import Image

from tests.support.imports import ROOT
from tests.support.workspace import BIN, UNACTIVATED, Workspace, make_workspace


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> Path:
    """The programs of an environment with the wheel; the packages that it needs are those of this environment."""
    folder = tmp_path_factory.mktemp("installed")
    project, venv = make_workspace(folder / "project"), folder / "venv"
    pip = (str(BIN / "python"), "-m", "pip")
    project.run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), ".")
    assert project.git("status", "--porcelain") == ""
    project.run(sys.executable, "-m", "venv", "--without-pip", str(venv))
    [wheel] = folder.glob("*.whl")
    project.run(*pip, "--python", str(venv / "bin/python"), "install", "--no-deps", "--no-index", str(wheel))
    path = packages(venv / "bin") / "needs.pth"
    path.write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")  # its .pth files do not count there
    return venv / "bin"


def packages(programs: Path) -> Path:
    return next(programs.parent.glob("lib/*/site-packages"))


def test_the_wheel_holds_the_whole_library_and_no_other_package(programs):
    folder = packages(programs)
    assert {path.name.split("-")[0] for path in folder.iterdir()} == {"colorizer", "colorization_gan", "needs.pth"}
    assert whole(folder / "colorizer") == whole(ROOT / "colorizer")


def whole(folder: Path) -> set[Path]:
    """The files below a folder that are not made by running them."""
    return {path.relative_to(folder) for path in folder.rglob("*.*") if path.parent.name != "__pycache__"}


def test_it_colours_in_any_folder_with_the_file_of_a_model(programs, photographs, tmp_path):
    from colorizer.networks.unet import UNet
    from tests.support.model_file import save_model  # PyTorch takes a second, which not every process needs

    model = save_model(UNet(width=4, num_downs=3, upsampling="resize"), tmp_path)
    Image.fromarray(photographs[0, :, :, 0]).save(tmp_path / "old.png")
    command = (str(programs / "colorizer"), "colorize", "old.png", "--out", "coloured", "--model", model.name)
    Workspace(tmp_path).run(*command, PATH=UNACTIVATED)
    with Image.open(tmp_path / "coloured/old.png") as coloured:
        assert coloured.mode == "RGB"


def test_in_a_clone_it_runs_the_pipeline(programs):
    project = Workspace(programs.parents[1] / "project")
    assert "rebuild" in project.run(str(programs / "python"), "-m", "pipeline", "--help").stdout
    assert project.run(str(programs / "python"), "-m", "stages.locate").stdout == ""
    assert (project.path / "data/located.txt").is_file()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("colorizer colorize . --out coloured", "no model models/generator.safetensors in"),
        ("python -m colorizer colorize . --out coloured --model generator#prod", "no model generator#prod in"),
        ("colorizer app", "there is no model in"),
    ],
)
def test_without_a_model_it_says_so_in_one_line(programs, tmp_path, command, told):
    Image.new("L", (32, 32)).save(tmp_path / "old.png")
    program, *arguments = command.split()
    result = Workspace(tmp_path).run(str(programs / program), *arguments, check=False, PATH=UNACTIVATED)
    assert (result.returncode, result.stdout.count("\n")) == (1, 1)
    assert result.stdout.startswith(f"colorizer: {told} {tmp_path}")
