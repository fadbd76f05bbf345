import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from colorizer.core.errors import UserError
from colorizer.data.splitting import read_inventory, split_images

DEFAULTS = {"validation": 0, "shuffle": False, "seed": 0, "min_chroma": 0.0, "drop_duplicates": False}
INVENTORY = np.array([1.0, 5.0] * 10), np.arange(20) >= 15  # mean chroma, and whether it is a copy


def images(parts):
    return [numbers.tolist() for numbers in parts]


def test_first_train_then_test_in_file_order():
    assert images(split_images(*INVENTORY, train=3, test=2, **DEFAULTS)) == [[0, 1, 2], [], [3, 4]]


@given(train=st.integers(1, 15), held_back=st.integers(0, 14), test=st.integers(1, 5), seed=st.integers(0, 2**63 - 1))
def test_shuffled_parts_never_overlap(train, held_back, test, seed):
    options = DEFAULTS | {"shuffle": True, "seed": seed, "validation": min(held_back, train - 1)}
    parts = images(split_images(*INVENTORY, train=train, test=test, **options))
    assert [len(part) for part in parts] == [train - options["validation"], options["validation"], test]
    assert len({image for part in parts for image in part}) == train + test
    assert images(split_images(*INVENTORY, train=train, test=test, **options)) == parts


def test_validation_images_are_drawn_from_the_training_ones_by_the_seed():
    options = {"train": 15, "test": 5, **DEFAULTS}
    whole, _, tested = images(split_images(*INVENTORY, **options))
    drawn = []
    for seed in (0, 1):
        train, validation, test = images(split_images(*INVENTORY, **options | {"validation": 4, "seed": seed}))
        assert sorted(train + validation) == whole
        assert test == tested
        assert train == sorted(train)
        drawn.append(validation)
    assert drawn[0] != drawn[1]


def test_the_seed_decides_the_shuffle():
    orders = [
        images(split_images(*INVENTORY, train=10, test=10, **DEFAULTS | {"shuffle": True, "seed": s})) for s in (1, 2)
    ]
    assert orders[0] != orders[1]


def test_near_grey_images_and_copies_are_left_out_on_request():
    chosen = np.concatenate(images(split_images(*INVENTORY, train=5, test=5, **DEFAULTS | {"min_chroma": 4.0})))
    assert chosen.tolist() == list(range(1, 20, 2))
    chosen = np.concatenate(images(split_images(*INVENTORY, train=10, test=5, **DEFAULTS | {"drop_duplicates": True})))
    assert chosen.tolist() == list(range(15))


def test_a_split_larger_than_the_data_is_refused():
    with pytest.raises(UserError, match=r"16 \+ 5 images but there are 20: lower"):
        split_images(*INVENTORY, train=16, test=5, **DEFAULTS)
    with pytest.raises(UserError, match=r"there are 15 \(5 of 20 were dropped\)"):
        split_images(*INVENTORY, train=16, test=4, **DEFAULTS | {"drop_duplicates": True})


def test_reads_the_two_columns_it_needs(tmp_path):
    (tmp_path / "inventory.csv").write_text(
        "image,mean_chroma,content_hash,duplicate_of\n0,4.125,00ff,\n1,0.0,00ff,0\n", encoding="utf-8"
    )
    mean_chroma, is_copy = read_inventory(tmp_path / "inventory.csv")
    assert (mean_chroma.tolist(), is_copy.tolist()) == ([4.125, 0.0], [False, True])
