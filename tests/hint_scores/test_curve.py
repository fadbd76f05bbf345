from itertools import pairwise

import numpy as np
import pytest

from colorizer.core.lab import NEUTRAL
from colorizer.hint_scores.curve import COUNTS, hint_curve, hint_side, hint_summary, true_hints
from colorizer.hint_scores.levin import neighbour_weights, spread_hints
from colorizer.scoring.evaluation import constant_chroma, evaluate_images

IMAGES = np.array([3, 40, 9])


def spread_all(lightness, *, hints):
    """What the baseline does, as a model."""
    images = zip(lightness, hints, strict=True)
    return np.stack([spread_hints(neighbour_weights(codes), known) for codes, known in images])


@pytest.mark.parametrize(("shape", "side"), [((256, 256), 7), ((224, 300), 6), ((64, 64), 2), ((16, 90), 1)])
def test_side_of_a_hint(shape, side):
    assert hint_side(shape) == side


def test_draws_depend_on_the_image_alone_and_are_nested(photographs):
    for image in (0, 1, 63):
        nested = [true_hints(photographs[image], image, count)[..., 2] > 0 for count in COUNTS]
        assert not nested[0].any()
        for fewer, more in pairwise(nested):
            assert (more | ~fewer).all()
            assert more.sum() > fewer.sum()
        assert (true_hints(photographs[image], image, 10)[..., 2] == nested[COUNTS.index(10)]).all()
    places = [true_hints(photographs[0], image, 1)[..., 2].tolist() for image in range(8)]
    assert len({str(place) for place in places}) > 6


def test_hints_show_the_truth(photographs):
    hints = true_hints(photographs[4], 4, 50)  # squares of 1 px in images of 32 px
    known = hints[..., 2] == 1
    assert (hints[known][:, :2] == photographs[4][known][:, 1:]).all()
    assert (hints[~known] == 0).all()


def test_a_model_that_spreads_hints_scores_as_the_baseline(photographs):
    done = []
    curve = hint_curve(photographs, IMAGES, spread_all, batch_size=2, on_images=done.append)
    assert done == [1, 1, 1]
    assert curve.columns.tolist() == ["count", "method", "psnr", "ab_error"]
    assert curve["count"].unique().tolist() == list(COUNTS)
    model, levin = (curve[curve["method"] == method].drop(columns="method") for method in ("model", "levin"))
    assert model.to_numpy().tolist() == levin.to_numpy().tolist()
    assert (np.diff(model["ab_error"].to_numpy()[[0, 4, 6]]) < 0).all()  # more hints, a smaller error


def test_scores_are_those_of_the_evaluation(photographs):
    """A model that ignores hints has the same scores at every count, and those that the other metrics have."""
    constant = constant_chroma((140.0, 120.0))

    def ignore(lightness, *, hints):
        return constant(lightness)

    curve = hint_curve(photographs, IMAGES, ignore, batch_size=64, on_images=lambda count: None)
    methods = {"model": constant, "levin": constant_chroma((NEUTRAL, NEUTRAL))}
    summary = evaluate_images(photographs, IMAGES, methods, batch_size=64, on_images=lambda count: None).summary()
    for method in ("model", "levin"):
        [first, *others] = curve[curve["method"] == method][["psnr", "ab_error"]].to_numpy().tolist()
        assert first == pytest.approx([summary[method]["psnr"], summary[method]["ab_error"]], abs=1e-4)
        assert all(other == first for other in others) == (method == "model")


def test_summary_has_a_key_for_each_count_and_nothing_unknown(photographs):
    curve = hint_curve(photographs, IMAGES[:1], spread_all, batch_size=1, on_images=lambda count: None)
    summary = hint_summary(curve, {"distance": 1.23456, "far_change": float("nan")}, 1)
    assert list(summary) == ["images", "0", "1", "2", "5", "10", "50", "100", "recoloured"]
    assert summary["10"].keys() == {"psnr", "ab_error", "levin_psnr", "levin_ab_error"}
    assert summary["10"]["levin_psnr"] == round(curve.query("count == 10 and method == 'levin'")["psnr"].item(), 4)
    assert summary["recoloured"] == {"distance": 1.2346}
