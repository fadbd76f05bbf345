"""A model's twin: as ONNX in the user's cache, made once, so that colouring does without PyTorch."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorizer.core.errors import UserError
from colorizer.core.hints import no_hints
from colorizer.models import twin
from colorizer.models.export import LARGEST_DIFFERENCE
from colorizer.models.model import load_model
from colorizer.models.twin import load_for_photographs
from tests.support.imports import ROOT
from tests.support.model_file import save_hinted

LIGHTNESS = np.random.default_rng(0).integers(0, 256, (2, 64, 32), dtype=np.uint8)

COLORIZE = """
import sys
sys.argv = ["colorizer", "colorize", *sys.argv[1:]]
from colorizer.__main__ import main
try:
    main()
finally:
    print("modules:", *sys.modules)
"""


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The folder of twins, empty, on a machine without a card."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(twin, "_CARDS", ())
    return tmp_path / "cache" / "colorizer" / "twins"


@pytest.fixture
def model(miniature, tmp_path) -> Path:
    return Path(shutil.copyfile(miniature.path / "models/generator.safetensors", tmp_path / "a.safetensors"))


def predict(path: Path) -> np.ndarray:
    return load_for_photographs(path).predict(LIGHTNESS)


@pytest.fixture
def never_made(monkeypatch):
    """From now on nothing is exported."""

    def forbid() -> None:
        monkeypatch.setattr("colorizer.models.export.to_onnx", None)

    return forbid


def test_the_second_time_there_is_no_pytorch_and_the_bytes_are_the_same(model, cache, tmp_path):
    Image.fromarray(np.arange(64 * 48, dtype=np.uint8).reshape(48, 64)).save(tmp_path / "grey.png")
    loaded = {}
    for turn in ("first", "second"):
        arguments = (tmp_path / "grey.png", "--out", tmp_path / turn, "--model", model)
        printed = subprocess.run(
            [sys.executable, "-c", COLORIZE, *map(str, arguments)],
            cwd=ROOT,
            check=True,
            capture_output=True,
            encoding="utf-8",
        ).stdout
        loaded[turn] = {name.split(".")[0] for name in printed.partition("modules: ")[2].split()}
    assert "torch" in loaded["first"] or Path("/dev/nvidiactl").exists()
    heavy = {"torch", "onnx", "onnxscript", "skimage", "sklearn", "scipy", "matplotlib", "pandas", "gradio", "dvc"}
    assert not heavy & loaded["second"]
    assert (tmp_path / "first/grey.png").read_bytes() == (tmp_path / "second/grey.png").read_bytes()


def test_it_is_the_same_model(model, cache, never_made):
    made, original = load_for_photographs(model), load_model(model, "cpu", "fp32")
    assert (made.info, made.identity) == (original.info, original.identity)
    assert np.abs(made.predict(LIGHTNESS) - original.predict(LIGHTNESS)).max() <= 128 * LARGEST_DIFFERENCE
    never_made()
    np.testing.assert_array_equal(predict(model), made.predict(LIGHTNESS))
    copied = model.with_name("b.safetensors")
    shutil.copyfile(model, copied)
    np.testing.assert_array_equal(predict(copied), made.predict(LIGHTNESS))
    assert len(list(cache.iterdir())) == 1


def test_a_twin_takes_the_hints_that_its_model_takes(tmp_path, cache, never_made):
    path, hints = save_hinted(tmp_path), no_hints(LIGHTNESS.shape)
    hints[:, 20:23, 9:12] = 180, 60, 1
    original = load_model(path, "cpu", "fp32").predict(LIGHTNESS, hints=hints)
    assert np.abs(original - load_for_photographs(path).predict(LIGHTNESS)).max() > 30
    never_made()
    twin_of_it = load_for_photographs(path)
    assert twin_of_it.info.takes_hints
    assert np.abs(original - twin_of_it.predict(LIGHTNESS, hints=hints)).max() <= 128 * LARGEST_DIFFERENCE


def test_a_damaged_twin_is_made_again(model, cache):
    expected = predict(model)
    [file] = cache.iterdir()
    whole = file.read_bytes()
    for damaged in (b"", whole[:1000], whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]):
        file.write_bytes(damaged)
        np.testing.assert_array_equal(predict(model), expected)
        assert file.read_bytes() == whole


def test_damage_of_the_model_is_found_beside_a_whole_twin(model, cache):
    predict(model)
    content = bytearray(model.read_bytes())
    content[-7] ^= 1
    model.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.safetensors is damaged or not of this project"):
        predict(model)
    with pytest.raises(UserError, match=r"gone\.safetensors is missing: is the name right"):
        predict(model.with_name("gone.safetensors"))
    with pytest.raises(UserError, match=r"a\.txt is not a model"):
        predict(model.with_name("a.txt"))
    assert len(list(cache.iterdir())) == 1


def test_a_cache_that_cannot_be_written(model, cache, tmp_path):
    (tmp_path / "cache").write_text("a file in the folder's place", encoding="utf-8")
    expected = predict(model)
    (tmp_path / "cache").unlink()
    np.testing.assert_array_equal(predict(model), expected)


def test_the_twins_that_were_used_last_are_kept(model, cache, monkeypatch):
    monkeypatch.setattr(twin, "_KEPT", 2)
    cache.mkdir(parents=True)
    for number in (1, 2, 3):
        (cache / f"{number}.onnx").write_text("older", encoding="utf-8")
        os.utime(cache / f"{number}.onnx", (number, number))
    predict(model)
    assert len(list(cache.iterdir())) == 2
    assert (cache / "3.onnx").exists()
    [file] = [path for path in cache.iterdir() if path.name != "3.onnx"]
    os.utime(file, (9, 9))
    predict(model)
    assert file.stat().st_mtime > 9


def test_a_machine_with_a_card_and_an_export_need_no_twin(model, cache, never_made, monkeypatch, tmp_path):
    predict(model)
    [file] = cache.iterdir()
    export = Path(shutil.copyfile(file, tmp_path / "a.onnx"))
    file.unlink()
    never_made()
    predict(export)
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(twin, "_CARDS", (str(tmp_path / "nvidia0"),))
    predict(model)
    assert list(cache.iterdir()) == []
