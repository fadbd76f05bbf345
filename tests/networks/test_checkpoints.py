import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from colorizer.core.errors import UserError
from colorizer.core.lab import Normalization
from colorizer.networks.checkpoints import generate_chroma, load_generator, save_generator
from colorizer.networks.unet import UNet

CPU = torch.device("cpu")


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return UNet(width=4, num_downs=3, upsampling="resize")


def test_a_saved_generator_colours_the_same(tmp_path, photographs, generator):
    generator(torch.randn(4, 1, 32, 32))  # moves the batch-norm statistics
    path = tmp_path / "models" / "generator.safetensors"
    normalization = Normalization(chroma_scale=110.0)
    save_generator(
        path, generator, normalization, image_shape=(64, 64), epoch=7, scores={"psnr": 20.5}, facts={"code": {}}
    )
    loaded, loaded_normalization, metadata = load_generator(path, CPU)
    assert loaded_normalization == normalization
    assert (metadata["epoch"], metadata["scores"], metadata["training"]) == (7, {"psnr": 20.5}, {"code": {}})
    expected = generate_chroma(generator, normalization, photographs[:3, ..., 0], CPU)
    assert expected.shape == (3, 32, 32, 2)
    lightness = photographs[:3, ..., 0]
    assert generate_chroma(loaded, normalization, lightness, CPU) == pytest.approx(expected, abs=1e-4)
    assert generate_chroma(loaded, normalization, lightness, CPU, "bf16") == pytest.approx(expected, abs=0.5)  # codes


def test_inference_does_not_depend_on_the_batch_or_leave_training_mode(photographs, generator):
    lightness = photographs[:4, ..., 0]
    together = generate_chroma(generator, Normalization(), lightness, CPU)
    alone = generate_chroma(generator, Normalization(), lightness[2:3], CPU)
    assert together[2] == pytest.approx(alone[0], abs=1e-3)
    assert generator.training


def test_equal_generators_are_equal_bytes(tmp_path, generator):
    """Saved by another process and by this one."""
    script = (
        "import sys, torch; from pathlib import Path; from colorizer.networks.checkpoints import save_generator;"
        "from colorizer.core.lab import Normalization; from colorizer.networks.unet import UNet;"
        "torch.manual_seed(0);"
        "generator = UNet(width=4, num_downs=3, upsampling='resize');"
        "save_generator(Path(sys.argv[1]), generator, Normalization(),"
        " image_shape=(8, 8), epoch=1, scores={}, facts={})"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "a"], check=True)
    save_generator(tmp_path / "b", generator, Normalization(), image_shape=(8, 8), epoch=1, scores={}, facts={})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("kind", ["text", "truncated", "other weights", "other architecture"])
def test_a_foreign_file_is_refused(tmp_path, generator, kind):
    path = tmp_path / "generator.safetensors"
    save_generator(path, generator, Normalization(), image_shape=(64, 64), epoch=1, scores={}, facts={})
    if kind == "text":
        path.write_text("not a model", encoding="utf-8")
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:-10])
    elif kind == "other weights":
        save_file({"weight": torch.zeros(3)}, path)
    else:
        generator.arguments["width"] = 8
        save_generator(path, generator, Normalization(), image_shape=(64, 64), epoch=1, scores={}, facts={})
    with pytest.raises(UserError, match=r"generator\.safetensors is (damaged or not|not a generator) of this project"):
        load_generator(path, CPU)


def test_a_missing_model_says_how_to_get_one(tmp_path):
    with pytest.raises(UserError, match="dvc repro train"):
        load_generator(tmp_path / "generator.safetensors", CPU)
