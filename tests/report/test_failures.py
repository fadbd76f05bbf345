import itertools

import numpy as np
import pandas as pd
import pytest

from colorizer.report.failures import where_it_fails, worst_by_kind


def made_scores(count: int) -> pd.DataFrame:
    """The more the darker, the paler and the more textured: image 100 scores best, the last one worst."""
    number = np.arange(count)
    return pd.DataFrame(
        {
            "image": 100 + number,
            "model_psnr": 30.0 - number,
            "model_ab_error": 1.0 + number,
            "model_ciede2000": 2.0 + number,
            "model_colourfulness": 10.0 * number,
            "truth_colourfulness": 30.0,
            "truth_ab_deviation": 5.0,
            "truth_lightness": 90.0 - number,
            "truth_chroma": 40.0 - number,
            "truth_texture": 0.5 * number,
        }
    )


def test_thirds_have_bounds_means_and_a_share_that_beats_grey():
    table = where_it_fails(made_scores(8)).set_index(["property", "third"])
    assert table["images"].tolist() == [8, *[3, 3, 2] * 3]
    assert table.loc[("", "all"), ["psnr", "beats_grey"]].tolist() == [26.5, 0.5]  # AB errors 1, 2, 3, 4 of 1 to 8
    dark = table.loc[("lightness", "dark")]  # the last three images
    assert dark[["from", "to", "ab_error", "ciede2000", "colourfulness"]].tolist() == [83, 85, 7, 8, 60]
    assert dark["beats_grey"] == 0
    assert table.loc[("lightness", "bright"), ["from", "to", "ciede2000", "beats_grey"]].tolist() == [89, 90, 2.5, 1]
    assert table.loc[("texture", "smooth"), "ciede2000"] == table.loc[("chroma", "colourful"), "ciede2000"] + 0.5
    assert (table["truth_colourfulness"] == 30).all()


def test_images_of_equal_property_are_divided_in_their_order():
    scores = made_scores(9).assign(truth_chroma=20.0)
    table = where_it_fails(scores).set_index(["property", "third"]).loc["chroma"]
    assert table["images"].tolist() == [3, 3, 3]
    assert (table[["from", "to"]] == 20).all(axis=None)
    assert table["ciede2000"].tolist() == [3, 6, 9]


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_images_have_no_thirds(count):
    assert where_it_fails(made_scores(count))["third"].tolist() == ["all"]
    assert worst_by_kind(made_scores(count), 3) == {"too dull": [100, 101][:count], "too colourful": []}


def test_the_worst_of_every_kind_are_different_images():
    worst = worst_by_kind(made_scores(30), 2)
    assert worst == {
        "dark": [129, 128],
        "bright": [109, 108],
        "pale": [127, 126],
        "colourful": [107, 106],
        "smooth": [105, 104],
        "textured": [125, 124],
        "too dull": [100, 101],
        "too colourful": [123, 122],
    }


def test_the_worst_run_out():
    worst = worst_by_kind(made_scores(4), 3)
    assert sorted(itertools.chain(*worst.values())) == [100, 101, 102, 103]
