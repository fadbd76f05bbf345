"""A photograph keeps its size and its lightness, whatever its size and whatever is predicted."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from colorizer.core.errors import UserError
from colorizer.data.sample import built_in_photographs
from colorizer.models.model import Model, ModelInfo
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.decoding import read_photograph
from colorizer.photographs.photographs import Photograph, write_photograph
from colorizer.scoring.evaluation import constant_chroma


def photograph(pixels) -> Photograph:
    return Photograph(pixels=pixels)


def constant(chroma=(190, 60), lightness_is="L*") -> Model:
    info = ModelInfo(side_multiple=8, training_size=32, lightness_is=lightness_is, epoch=1)
    return Model(predict=constant_chroma(chroma), info=info, identity="a test")


@pytest.fixture(scope="module")
def real() -> Photograph:
    return photograph(dict(built_in_photographs())["china.jpg"])


@pytest.mark.parametrize("chroma", [(128, 128), (150, 110), (255, 255), (190, 0)])
def test_lightness_stays(real, chroma, tmp_path):
    """Strong violet is outside sRGB for most lightnesses: chroma gives way, not lightness."""
    colored = Colorizer(model=constant(chroma), size=32)(real)
    lightness, before = (rgb2lab(photograph.pixels)[..., 0] * 2.55 for photograph in (colored, real))
    assert np.abs(lightness - before).max() < 1.0
    write_photograph(tmp_path / "a.jpg", colored, "jpeg")
    assert np.abs(rgb2lab(read_photograph(tmp_path / "a.jpg").pixels)[..., 0] * 2.55 - before).mean() < 0.5


def test_the_prediction_is_what_is_seen_where_it_can_be(real):
    lab = rgb2lab(Colorizer(model=constant((138, 108)), size=32)(real).pixels)
    middle = (lab[..., 0] > 30) & (lab[..., 0] < 80)
    assert middle.mean() > 0.3
    np.testing.assert_allclose(lab[middle][:, 1:].mean(axis=0), (10, -20), atol=0.3)


def test_strength(real):
    grey = Colorizer(model=constant(), size=32, strength=0)(real).pixels
    assert (np.ptp(grey, axis=-1) == 0).all()
    half = rgb2lab(Colorizer(model=constant((148, 108)), size=32, strength=0.5)(real).pixels)
    middle = (half[..., 0] > 30) & (half[..., 0] < 80)
    np.testing.assert_allclose(half[middle][:, 1:].mean(axis=0), (10, -10), atol=0.3)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (7, 5), (33, 100)])
def test_any_size(size):
    pixels = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    colored = Colorizer(model=constant(), size=32)(photograph(pixels))
    assert colored.pixels.shape == (*size, 3)
    assert colored.pixels.dtype == np.uint8


def test_what_the_network_sees(real):
    colorizer = Colorizer(model=constant(), size=32)
    shape = colorizer.shape(427, 640)
    assert (shape.inner, shape.padded) == ((32, 48), (32, 48))
    assert colorizer.shape(640, 400).padded == (56, 32)
    assert colorizer.shape(1, 100_000).inner == (1, 128)  # not 32 x 3,200,000
    network_input = colorizer.network_input(real)
    lightness = rgb2lab(np.asarray(Image.fromarray(real.pixels).resize((48, 32), Image.Resampling.BOX)))[..., 0]
    assert np.abs(network_input - lightness * 2.55).mean() < 4
    white_below = np.zeros((30, 30), np.uint8)
    white_below[20:] = 255
    padded = Colorizer(model=constant(), size=30).network_input(photograph(white_below))
    assert padded.shape == (32, 32)
    assert (padded[30:, :30] == 255).all()  # mirrored, no black border


def test_luma_is_given_to_a_model_that_was_trained_on_luma():
    blue = photograph(np.full((32, 32, 3), (0, 0, 255), np.uint8))
    as_luma = Colorizer(model=constant(lightness_is="luma"), size=32).network_input(blue)
    as_lightness = Colorizer(model=constant(), size=32).network_input(blue)
    assert (as_luma == 29).all()
    assert (as_lightness == 82).all()  # L* 32.3


@pytest.mark.parametrize("strength", [-0.1, 4.1, float("nan")])
def test_impossible_strengths(strength):
    with pytest.raises(UserError, match=f"a strength of {strength:g} is not between 0 and 4"):
        Colorizer(model=constant(), size=32, strength=strength)


def test_threads_change_nothing_and_there_is_one_copy(real, tmp_path):
    """Beside the photograph and its coloured copy there are patches and bands only, however many threads there are."""
    large = photograph(np.tile(real.pixels, (5, 4, 1)))
    colorizer = Colorizer(model=constant((150, 110)), size=32)
    alone = colorizer(large)
    write_photograph(tmp_path / "alone.png", alone, "png")
    with ThreadPoolExecutor(3) as pool:
        tracemalloc.start()
        try:
            together = colorizer(large, pool)
            write_photograph(tmp_path / "together.png", together, "png", pool)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    np.testing.assert_array_equal(together.pixels, alone.pixels)
    assert (tmp_path / "together.png").read_bytes() == (tmp_path / "alone.png").read_bytes()
    assert most < 1.5 * large.pixels.nbytes + 2**24
