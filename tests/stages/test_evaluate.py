"""The stage evaluate: what goes into the model card."""

import numpy as np
import pandas as pd
import pytest

from settings.params import Params
from settings.params_file import read_params
from settings.paths import TRAIN_IMAGES, VALIDATION_IMAGES
from stages.evaluate import describe_data, equal_steps, showable
from stages.sample import sample
from tests.support.imports import ROOT


@pytest.fixture
def params(monkeypatch, tmp_path) -> Params:
    """As committed, for a small sample, in an empty folder."""
    monkeypatch.chdir(ROOT)
    committed = read_params()
    monkeypatch.chdir(tmp_path)
    small = committed.sample.model_copy(update={"size": 16, "train": 16, "test": 8})
    return committed.model_copy(update={"sample": small})


def with_root(params: Params, root: str) -> Params:
    return params.model_copy(update={"data": params.data.model_copy(update={"root": root})})


def test_the_card_shows_no_crop_of_the_photograph_without_a_licence(params):
    sample(params)
    photographs = pd.read_csv("data/sample/crops.csv", index_col="image")["photograph"]
    images = photographs.index.to_numpy()
    assert {*photographs} - {*photographs[showable(images, params)]} == {"motorcycle_left.png"}
    assert len(showable(images, with_root(params, "data"))) == len(images)


@pytest.mark.parametrize(
    ("root", "name"),
    [
        ("data/sample", "the built-in sample"),
        ("data/mine", "the arrays in data/mine"),
        ("/home/me/photographs", "the arrays in photographs"),
    ],
)
def test_the_card_names_no_folder_of_this_machine(params, root, name):
    TRAIN_IMAGES.parent.mkdir(parents=True)
    TRAIN_IMAGES.write_text("image\n0\n1\n", encoding="utf-8")
    VALIDATION_IMAGES.write_text("image\n", encoding="utf-8")
    data = describe_data(with_root(params, root), (64, 64), 5)
    assert (data.name, data.train, data.validation, data.test) == (name, 2, 0, 5)


@pytest.mark.parametrize(("count", "expected"), [(3, [5, 7, 9]), (9, [5, 6, 7, 8, 9])])
def test_images_at_equal_steps(count, expected):
    assert equal_steps(np.arange(5, 10), count).tolist() == expected
