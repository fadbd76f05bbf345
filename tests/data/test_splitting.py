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
    with pytest.raises(
        UserError, match=r"16 \+ 5 images but there are 20: lower .* shares of all images: 0\.8 and 0\.2"
    ):
        split_images(*INVENTORY, train=16, test=5, **DEFAULTS)
    with pytest.raises(UserError, match=r"there are 15 \(5 of 20 were dropped\)"):
        split_images(*INVENTORY, train=16, test=4, **DEFAULTS | {"drop_duplicates": True})


@pytest.mark.parametrize(
    ("total", "train", "validation", "test", "numbers"),
    [
        (25_000, 0.8, 0.025, 0.2, (19_500, 500, 5_000)),
        (25_000, 0.8, 0, 0.2, (20_000, 0, 5_000)),
        (100, 0.29, 4, 0.57, (25, 4, 57)),  # 0.29 x 100 and 0.57 x 100 are a little less than 29 and 57 in floats
        (3, 0.5, 0, 0.5, (1, 0, 1)),
        (30, 0.9, 0.01, 0.01, (26, 1, 1)),
        (30, 20, 0.25, 0.3, (15, 5, 9)),
    ],
)
def test_shares_of_the_images(total, train, validation, test, numbers):
    inventory = np.full(total, 5.0), np.zeros(total, bool)
    options = {"train": train, "validation": validation, "test": test}
    parts = split_images(*inventory, **DEFAULTS | options)
    assert tuple(len(part) for part in parts) == numbers


def test_shares_are_of_those_that_take_part():
    options = {"train": 0.5, "test": 0.5, "min_chroma": 4.0}
    assert [len(part) for part in split_images(*INVENTORY, **DEFAULTS | options)] == [5, 0, 5]


def test_shares_of_which_nothing_would_train():
    with pytest.raises(UserError, match=r"split\.validation asks for 1 of 1 training images"):
        split_images(*INVENTORY, train=0.05, test=5, **DEFAULTS | {"validation": 0.5})


def test_reads_the_columns_it_needs(tmp_path):
    (tmp_path / "inventory.csv").write_text(
        "image,mean_chroma,content_hash,duplicate_of\n0,4.125,00ff,\n1,0.0,00ff,0\n", encoding="utf-8"
    )
    mean_chroma, is_copy, content_hash = read_inventory(tmp_path / "inventory.csv")
    assert (mean_chroma.tolist(), is_copy.tolist()) == ([4.125, 0.0], [False, True])
    assert content_hash.tolist() == [b"00ff", b"00ff"]
