"""docs/photographs.md: from a folder of photographs to a model and back in its three commands."""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML

from colorizer.data.sample import built_in_photographs
from tests.support.imports import ROOT
from tests.support.workspace import BIN, Workspace


def test_three_commands(committed: Workspace, tmp_path):
    write_photographs(tmp_path / "Pictures", tmp_path / "Scans")
    [block] = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/photographs.md").read_text(encoding="utf-8"), re.DOTALL)
    to_arrays, to_model, to_photographs = block.strip().splitlines()

    def run(command: str) -> str:
        return committed.run("bash", "-ec", command, HOME=str(tmp_path)).stdout

    said = run(to_arrays)
    assert "40 images in data/mine; skipped: 1 unreadable, 1 near-grey, see data/mine/photographs.csv" in said
    table = pd.read_csv(committed.path / "data/mine/photographs.csv")
    assert len(table) == 42
    assert table["skipped"].notna().sum() == 2

    [printed] = re.findall(r"to train on them: (.*)", said)
    assert re.sub(r"\d+", "N", printed) == re.sub(r"\d+", "N", to_model)
    assert "-S split.train=0.8 -S split.validation=0.1 -S split.test=0.2" in printed
    before = (committed.path / "models/generator.safetensors").read_bytes()
    run(printed)
    assert (committed.path / "models/generator.safetensors").read_bytes() != before
    assert len(pd.read_csv(committed.path / "reports/evaluation/scores.csv")) == 8
    committed.dvc("add", "data/mine/l", "data/mine/ab")
    committed.git("add", "data/mine")
    added = {"l.dvc", "ab.dvc", "photographs.csv", ".gitignore"}  # and no arrays
    assert committed.git("status", "--short", "data") == "".join(f"A  data/mine/{name}\n" for name in sorted(added))

    assert "1 coloured in coloured; before and after on 1 sheets in coloured/before-after" in run(to_photographs)
    with Image.open(committed.path / "coloured/house.png") as image:
        assert (image.mode, image.size) == ("RGB", (640, 427))


@pytest.mark.parametrize("is_absolute", [True, False])
def test_the_printed_command_holds_for_any_name_of_the_folder(committed: Workspace, tmp_path, is_absolute):
    """Pasted into a shell: its characters, and those of Hydra's overrides, are the folder's."""
    name = "my $HOME, =#1 [a] {b} ${c} (d) 'e' \"f\" !g `h` * ~\\"
    name += "ü 中" if sys.getfilesystemencoding() == "utf-8" else ""
    write_photographs(tmp_path / "Pictures", tmp_path / "Scans")
    out = committed.path / "data" / name if is_absolute else Path("data", name)
    command = [str(BIN / "python"), "-m", "colorizer", "import", str(tmp_path / "Pictures"), "--out", str(out)]
    [printed] = re.findall(r"to train on them: (.*)", committed.run(*command).stdout)
    committed.run("bash", "-ec", f"{printed} load")
    assert YAML(typ="safe").load(committed.path / "params.yaml")["data"]["root"] == str(out)
    assert len(pd.read_csv(committed.path / "data/inventory.csv")) == 40


def write_photographs(pictures: Path, scans: Path) -> None:
    """40 colourful ones, a grey one and a broken one; a scan to be coloured."""
    photographs = dict(built_in_photographs())
    (pictures / "2019").mkdir(parents=True)
    scans.mkdir()
    generator = np.random.default_rng(0)
    for number in range(40):
        rgb = photographs["china.jpg" if number % 2 else "coffee.png"]
        top, left = (int(generator.integers(0, side - 100)) for side in rgb.shape[:2])
        Image.fromarray(rgb[top : top + 100, left : left + 100]).save(pictures / "2019" / f"{number}.png")
    Image.fromarray(photographs["china.jpg"]).convert("L").save(pictures / "grey.jpg")
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    Image.fromarray(photographs["china.jpg"]).convert("L").save(scans / "house.jpg")
