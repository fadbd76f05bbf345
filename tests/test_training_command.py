"""What the command prints can be pasted."""

import tempfile
from pathlib import Path

import numpy as np
from dvc.utils.hydra import apply_overrides
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML

from colorizer.training_command import hydra_text
from tests.support.colorizer_command import run_colorizer

PIECES = [
    "a",
    "b",
    " ",
    "/",
    "\\",
    '"',
    "'",
    "${",
    "$",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    "=",
    ":",
    "#",
    "é",
    "1",
    "\t",
]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join))
@example("2024")
@example("1/2")
@example("1e5/.5")
@example("null")
@example("true/null")
@example("../a/b-c_d.e")
@example("-/x")
@example("~")
def test_hydra_reads_the_text_that_was_meant(text):
    with tempfile.TemporaryDirectory() as folder:
        params = Path(folder, "params.yaml")
        params.write_text("data:\n  root: x\n", encoding="utf-8")
        apply_overrides(params, [f"data.root={hydra_text(text)}"])
        assert YAML(typ="safe").load(params)["data"]["root"] == text


def test_a_folder_that_no_text_can_name(tmp_path, capsys):
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (10, 3, 3, 3), dtype=np.uint8)):
        Image.fromarray(pixels).resize((16, 16)).save(tmp_path / f"{number}.png")
    out = tmp_path / "a\nb"
    assert run_colorizer("import", tmp_path, "--out", out, "--size", "16") == 0
    *_, imported, advice = capsys.readouterr().err.splitlines()
    assert imported == f"colorizer: 10 images in {tmp_path}/a\\nb"
    assert advice.startswith("colorizer: to train on them, rename the folder first")
