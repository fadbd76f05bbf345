"""What a training takes over from the model that it begins from, and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest

from colorizer.core.errors import UserError
from colorizer.core.lab import Normalization
from colorizer.training.start_model import all_learnt_from, begin_from, open_start_model
from tests.support.model_file import save_model
from tests.training.test_gan import gan_for

IMAGES = np.array([7, 3, 7], dtype=np.uint64)


@pytest.fixture
def start(tmp_path):
    """A model for images of 32 x 48 px that says nothing of what it has learnt from, as of an earlier version."""
    name = "pretrained/earlier.safetensors"
    return open_start_model(save_model(gan_for(32).generator, tmp_path), told(tmp_path, name), name)


def told(folder, name):
    """What stage start writes beside the model."""
    path = folder / "start.json"
    path.write_text(json.dumps({"start_from": name}), encoding="utf-8")
    return path


def test_what_an_ancestor_does_not_tell_stays_unknown_in_all_that_follow(start):
    assert all_learnt_from(None, IMAGES).tolist() == [3, 7]
    known = replace(start, checkpoint=replace(start.checkpoint, learnt_from=np.array([5], dtype=np.uint64)))
    assert all_learnt_from(known, IMAGES).tolist() == [3, 5, 7]
    assert all_learnt_from(start, IMAGES) is None


def test_images_of_another_size_and_other_layers_are_refused_in_one_line(start):
    gan = gan_for(32)
    with pytest.raises(
        UserError, match=r"earlier.safetensors was trained on images of 32 x 48 px, these have 32 x 32:"
    ):
        begin_from(start, gan, Normalization(), image_shape=(32, 32), encoded=False)
    weights = dict(start.checkpoint.generator)
    weights.popitem()
    other = replace(start, checkpoint=replace(start.checkpoint, generator=weights))
    with pytest.raises(UserError, match=r"earlier.safetensors has other layers than UNet has in this version"):
        begin_from(other, gan, Normalization(), image_shape=(32, 48), encoded=False)


def test_files_from_before_there_was_a_choice_of_resolution_fit_a_full_one_only(start):
    del start.checkpoint.metadata["generator"]["resolution"]
    gan = gan_for(32)
    begin_from(start, gan, Normalization(), image_shape=(32, 48), encoded=False)
    gan.generator.arguments["resolution"] = "half"
    with pytest.raises(UserError, match=r"other networks: train.generator.resolution full \(here half\): set what it"):
        begin_from(start, gan, Normalization(), image_shape=(32, 48), encoded=False)


def test_another_encoding_of_the_images_is_refused(start):
    other = replace(Normalization(), chroma_scale=100.0)
    with pytest.raises(UserError, match=r"earlier.safetensors was trained with another encoding of its images \("):
        begin_from(start, gan_for(32), other, image_shape=(32, 48), encoded=False)


@pytest.mark.parametrize(("fetched", "wanted"), [("generator@v1.0.0", None), (None, "generator@v1.0.0"), ("a", "b")])
def test_the_model_of_an_earlier_start_from_is_not_taken(tmp_path, fetched, wanted):
    """As after an edit of params.yaml between the two stages, or `python -m stages.train` alone."""
    model = save_model(gan_for(32).generator, tmp_path)
    message = f"train.start_from is {wanted or 'null'}, but stage start has fetched {fetched or 'no model'}: run"
    with pytest.raises(UserError, match=message):
        open_start_model(model, told(tmp_path, fetched), wanted)
    with pytest.raises(UserError, match="is missing: run `dvc repro start`"):
        open_start_model(model, tmp_path / "none.json", wanted)
