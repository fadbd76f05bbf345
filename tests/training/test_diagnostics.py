import numpy as np
import pytest

from colorizer.scoring.evaluation import evaluate_images
from colorizer.training.diagnostics import diagnose

HEALTHY = {"colourfulness": 28.0, "colourfulness_gap": 0.3, "tint": 0.75}
TRUTH = {"colourfulness": 40.0, "tint": 0.7}
BROWN = np.array([(20, 30), (12, 25)], np.float32)  # a*, b*


def found(loss=None, **scores):
    losses = {"l1_loss": 0.09} | ({"discriminator_loss": loss} if loss is not None else {})
    return diagnose(losses, HEALTHY | scores, TRUTH)


def found_in(photographs, chroma):
    """Symptoms when a model's output for the photographs (n, H, W, 3) has this a*, b* (n, H, W, 2)."""
    summary = evaluate_images(
        photographs,
        np.arange(len(photographs)),
        {"model": lambda lightness: chroma.astype(np.float32) + 128},
        batch_size=len(photographs),
        on_images=lambda count: None,
    ).summary()
    return diagnose({"l1_loss": 0.09}, summary["model"], summary["truth"])


def true_chroma(photographs):
    return photographs[..., 1:].astype(np.float32) - 128


@pytest.mark.parametrize("brown", BROWN)
@pytest.mark.parametrize("sigma", [0, 5, 10])
def test_one_hue_is_told_however_much_its_strength_varies(photographs, brown, sigma):
    noise = np.random.default_rng(0).normal(0, sigma, true_chroma(photographs).shape)
    [sentence] = found_in(photographs, brown + noise)
    assert "nearly one hue, such as brown: tint " in sentence


@pytest.mark.parametrize("tint", [*BROWN, (0, 30), (25, 0), (0, -30)])
def test_a_tint_over_faded_true_colours_is_told(photographs, tint):
    [sentence] = found_in(photographs, np.float32(tint) + np.float32(0.4) * true_chroma(photographs))
    assert "nearly one hue" in sentence


@pytest.mark.parametrize("saturation", [1, 0.7, 1.3])
def test_true_colours_have_no_symptoms_however_strong(photographs, saturation):
    assert found_in(photographs, np.float32(saturation) * true_chroma(photographs)) == []


def test_one_hue_is_right_where_the_truth_has_no_other(photographs):
    toned = photographs.copy()
    toned[..., 1:] = (138, 148)
    assert found_in(toned, true_chroma(toned)) == []


def test_grey_and_the_faint_are_dull(photographs):
    for saturation in (0, 0.3):
        [sentence] = found_in(photographs, np.float32(saturation) * true_chroma(photographs))
        assert "dull, grey or brown" in sentence


@pytest.mark.parametrize("loss", [None, 0.37, 1.12, 1.25])
def test_a_healthy_epoch_has_no_symptoms(loss):
    assert found(loss) == []
    assert found(loss, colourfulness=70.0, colourfulness_gap=0.75) == []  # garish, which the combined score tells


@pytest.mark.parametrize(
    ("loss", "scores", "told"),
    [
        (
            None,
            {"colourfulness": 15.8, "colourfulness_gap": 0.6},
            "dull, grey or brown: colourfulness 15.8, truth 40.0",
        ),
        (None, {"tint": 0.86}, "nearly one hue, such as brown: tint 0.86, truth 0.70"),
        (0.05, {}, "discriminator has won: its loss is 0.05"),
        (
            1.387,
            {},
            "no better than guessing: its loss is 1.39, guessing costs 1.39, so it teaches nothing (if this lasts",
        ),
        (2.5, {}, "no better than guessing: its loss is 2.50"),
        (14420.33, {}, "the losses have exploded: that of the discriminator is 14420.33, guessing costs 1.39 (lower"),
    ],
)
def test_each_symptom_is_one_sentence_with_its_numbers(loss, scores, told):
    [sentence] = found(loss, **scores)
    assert told in sentence
    assert ";" not in sentence  # which joins them in the history


def test_several_symptoms_are_told_but_a_dull_output_once():
    sentences = found(0.05, colourfulness=0.0, colourfulness_gap=1.0, tint=1.0)
    assert [sentence.split()[1] for sentence in sentences] == ["output", "discriminator"]
