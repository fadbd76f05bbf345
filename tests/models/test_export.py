"""The ONNX file: what PyTorch gives, where there is no PyTorch."""

import json
import random
import subprocess
import venv
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image

from colorizer.core.errors import UserError
from colorizer.core.hints import no_hints
from colorizer.core.lab import rgb_to_lightness
from colorizer.models.export import LARGEST_DIFFERENCE
from colorizer.models.model import load_model
from colorizer.networks.checkpoints import load_generator
from colorizer.networks.unet import UNet
from tests.support.colorizer_command import run_colorizer
from tests.support.imports import ROOT
from tests.support.model_file import save_model

SHAPES = ((1, 16, 16), (3, 48, 64), (2, 112, 32))

# Without anything of this project: a grey photograph in, its colours out.
BARE = """
import sys
import numpy as np, onnxruntime
from PIL import Image
for absent in ("torch", "onnx", "cv2", "colorizer"):
    try:
        __import__(absent)
    except ImportError:
        continue
    sys.exit(absent + " is there")
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
grey = np.asarray(Image.open(sys.argv[2]).convert("L")) / 255
linear = np.where(grey <= 0.04045, grey / 12.92, ((grey + 0.055) / 1.055) ** 2.4)
lightness = 116 * np.where(linear > 216 / 24389, np.cbrt(linear), linear * 24389 / 27 / 116 + 16 / 116) - 16
codes = np.rint(lightness * 255 / 100).astype(np.float32)[None, None]
np.save(sys.argv[3], session.run(None, {"lightness": codes})[0])
"""


@pytest.fixture(scope="module")
def transposed(tmp_path_factory) -> Path:
    """A generator of the paper's kind, with random weights that are large enough to show."""
    torch.manual_seed(0)
    generator = UNet(width=4, num_downs=4, upsampling="transposed")
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(4)
    return save_model(generator, tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def export(miniature, transposed, pretrained, tmp_path_factory) -> Callable[[str], tuple[Path, Path]]:
    """Gives a model of a kind and its export, which is made once."""
    folder = tmp_path_factory.mktemp("onnx")
    models = {
        "resize": miniature.path / "models/generator.safetensors",
        "transposed": transposed,
        "pretrained": pretrained,
    }

    def export(kind: str) -> tuple[Path, Path]:
        out = folder / f"{kind}.onnx"
        if not out.exists():
            assert run_colorizer("export", "--model", models[kind], "--onnx", out) == 0
        return models[kind], out

    return export


@pytest.mark.parametrize("kind", ["resize", "transposed", pytest.param("pretrained", marks=pytest.mark.thorough)])
def test_it_gives_what_pytorch_gives(export, kind):
    model, out = export(kind)
    _, normalization, _ = load_generator(model, torch.device("cpu"))
    ours, theirs = load_model(model, "cpu", "fp32"), load_model(out)
    assert ours.info == theirs.info
    assert ours.identity == theirs.identity
    for shape in SHAPES:
        lightness = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        expected, chroma = ours.predict(lightness), theirs.predict(lightness)
        assert chroma.shape == (*shape, 2)
        assert np.ptp(expected) > 0.5
        assert np.abs(chroma - expected).max() / normalization.chroma_scale <= LARGEST_DIFFERENCE


def test_it_follows_hints_as_pytorch_does(tmp_path):
    """One image with few hints, one with many, one with none, at several sizes: their number is free, too."""
    torch.manual_seed(0)
    model = save_model(UNet(width=4, num_downs=2, upsampling="resize", hints=True), tmp_path)
    assert run_colorizer("export", "--model", model, "--onnx", tmp_path / "model.onnx") == 0
    ours, theirs = load_model(model, "cpu", "fp32"), load_model(tmp_path / "model.onnx")
    assert theirs.info.takes_hints
    random = np.random.default_rng(0)
    for shape in ((3, 32, 48), (3, 64, 32)):
        lightness = random.integers(0, 256, shape, dtype=np.uint8)
        hints = no_hints(shape)
        for image, number in ((0, 2), (1, 30)):
            for row, column in random.integers(0, 32, (number, 2)):
                hints[image, row : row + 3, column : column + 3] = *random.integers(0, 256, 2), 1
        expected, chroma = ours.predict(lightness, hints=hints), theirs.predict(lightness, hints=hints)
        assert np.abs(chroma - expected).max() / 128 <= LARGEST_DIFFERENCE
        moved = np.abs(expected - ours.predict(lightness)).max(axis=(1, 2, 3))
        assert (moved > (20, 20, -1)).all()
        assert moved[2] == 0
        np.testing.assert_array_equal(theirs.predict(lightness), theirs.predict(lightness, hints=no_hints(shape)))
    document = onnx.load(tmp_path / "model.onnx")
    assert [value.name for value in document.graph.input] == ["lightness", "hints"]
    assert "Input `hints`: float32 (N, 3, H, W)" in document.doc_string


def test_it_says_how_to_use_it(export):
    document = onnx.load(export("transposed")[1])
    onnx.checker.check_model(document)
    assert "H and W multiples of 16" in document.doc_string
    assert "shorter side has 32 px" in document.doc_string
    [about] = [json.loads(entry.value) for entry in document.metadata_props if entry.key == "colorizer"]
    facts = {"side_multiple": 16, "training_size": 32, "lightness_is": "L*", "epoch": 3, "takes_hints": False}
    assert about["facts"] == facts


def test_it_colours_without_pytorch(export, tmp_path, photographs):
    """In an environment that holds ONNX Runtime, NumPy and Pillow, as pip installed them here."""
    grey = np.ascontiguousarray(photographs[0][..., 0])
    Image.fromarray(grey).save(tmp_path / "grey.png")
    venv.create(tmp_path / "bare", symlinks=True)
    python = tmp_path / "bare" / "bin" / "python"
    site = Path(
        subprocess.run(
            [python, "-c", "import site; print(site.getsitepackages()[0])"],
            capture_output=True,
            check=True,
            encoding="utf-8",
        ).stdout.strip()
    )
    for name in ("onnxruntime", "numpy", "pillow"):
        files = distribution(name).files or []
        for top in {file.parts[0] for file in files if file.parts[0] != ".."}:
            (site / top).symlink_to(Path(str(distribution(name).locate_file(top))).resolve())
    _, out = export("resize")
    subprocess.run(
        [python, "-c", BARE, out, tmp_path / "grey.png", tmp_path / "chroma.npy"], check=True, env={}, cwd=tmp_path
    )
    expected = load_model(out).predict(np.rint(rgb_to_lightness(grey)).astype(np.uint8)[None])
    np.testing.assert_allclose(np.load(tmp_path / "chroma.npy"), np.moveaxis(expected, -1, 1), atol=1e-3)


def test_an_existing_file_is_replaced_only_when_told(transposed, tmp_path, capsys):
    (tmp_path / "mine.onnx").write_text("mine", encoding="utf-8")
    assert run_colorizer("export", "--model", transposed, "--onnx", tmp_path / "mine.onnx") == 1
    assert "mine.onnx exists: --force replaces it" in capsys.readouterr().err
    assert (tmp_path / "mine.onnx").read_text(encoding="utf-8") == "mine"


def test_a_name_and_a_model_of_another_kind(export, tmp_path, capsys):
    assert run_colorizer("export", "--onnx", tmp_path / "model.txt") == 1
    assert "model.txt: the name has to end in .onnx" in capsys.readouterr().err
    assert run_colorizer("export", "--model", export("resize")[1], "--onnx", tmp_path / "model.onnx") == 1
    assert "resize.onnx is an export already" in capsys.readouterr().err


def test_damage_is_found_and_nothing_of_this_machine_is_inside(export, tmp_path):
    content = export("resize")[1].read_bytes()
    assert str(Path(onnx.__file__).parent).encode() not in content
    assert str(ROOT).encode() not in content
    generator = random.Random(0)
    for _ in range(40):
        place = generator.randrange(len(content))
        damaged = content[:place] + bytes([content[place] ^ 1 << generator.randrange(8)]) + content[place + 1 :]
        (tmp_path / "damaged.onnx").write_bytes(damaged)
        with pytest.raises(UserError, match=r"damaged.onnx is (damaged|an ONNX file, but not one that)"):
            load_model(tmp_path / "damaged.onnx")


def test_another_onnx_file_is_refused(tmp_path):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", [value], [output])
    document = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(document, tmp_path / "other.onnx")
    assert onnxruntime.InferenceSession(tmp_path / "other.onnx")
    with pytest.raises(
        ValueError, match=r"other.onnx is an ONNX file, but not one that `python -m colorizer export` made"
    ):
        load_model(tmp_path / "other.onnx")
