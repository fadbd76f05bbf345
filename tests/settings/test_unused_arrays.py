import numpy as np
import pytest

from settings.params_file import read_params
from settings.unused_arrays import describe_unused_arrays
from tests.support.imports import ROOT

SAMPLE, OWN = (read_params(ROOT / "presets" / f"{name}.yaml") for name in ("sample", "best"))


def lay(*names, shape=(3, 64, 48)):
    for name in names:
        np.save(name, np.zeros(shape, np.uint8))


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("data/l", "data/ab/ab", "data/sample/l"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data/sample/l/gray_scale.npy").touch()  # the sample's own count for nothing


def test_only_arrays_that_are_not_used_are_told():
    assert describe_unused_arrays(SAMPLE) is None
    lay("data/l/gray_scale.npy", "data/ab/ab/ab1.npy")
    assert describe_unused_arrays(OWN) is None
    assert describe_unused_arrays(SAMPLE) == (
        "arrays lie in data/ but data.root is data/sample, so they are not used: for these 3 images of 64 x 48 pixels, "
        "`cp presets/best.yaml params.yaml && dvc repro`"
    )


@pytest.mark.parametrize("shape", [(2, 224, 224), (2, 129, 8, 1)])
def test_large_images_have_a_preset_of_their_own(shape):
    lay("data/l/gray_scale.npy", shape=shape)
    assert f"{shape[1]} x {shape[2]} pixels, `cp presets/best224.yaml" in describe_unused_arrays(SAMPLE)


def test_whoever_chose_another_root_is_offered_no_preset():
    lay("data/l/gray_scale.npy")
    other = OWN.model_copy(update={"data": OWN.data.model_copy(update={"root": "data/mine"})})
    assert describe_unused_arrays(other) == (
        "arrays lie in data/ but data.root is data/mine, so they are not used: set data.root to data in params.yaml to "
        "use them"
    )


def test_an_array_of_another_shape_is_told_too():
    lay("data/l/gray_scale.npy", shape=(5, 50))
    assert describe_unused_arrays(SAMPLE).endswith("set data.root to data in params.yaml to use them")


@pytest.mark.parametrize("content", [None, b"no array", b"", b"PK\x03\x04"])
def test_what_cannot_be_read_is_told_too(content, tmp_path):
    lay("data/ab/ab1.npy")
    if content is not None:
        (tmp_path / "data/l/gray_scale.npy").write_bytes(content)
    assert describe_unused_arrays(SAMPLE) == (
        "arrays lie in data/ but data.root is data/sample, so they are not used: set data.root to data in params.yaml "
        "to use them"
    )
