import pytest

from colorizer.symptoms import symptoms

HEALTHY = {"colourfulness": 28.0, "colourfulness_gap": 0.3, "histogram_distance": 0.4}


def found(loss=None, **scores):
    losses = {"l1_loss": 0.09} | ({"discriminator_loss": loss} if loss is not None else {})
    return symptoms(losses, HEALTHY | scores, 40.0)


@pytest.mark.parametrize("loss", [None, 0.37, 1.12, 1.25])
def test_a_healthy_epoch_has_no_symptoms(loss):
    assert found(loss) == []
    assert found(loss, colourfulness=70.0, colourfulness_gap=0.75) == []  # garish, which the balance tells


@pytest.mark.parametrize(
    ("loss", "scores", "told"),
    [
        (
            None,
            {"colourfulness": 15.8, "colourfulness_gap": 0.6},
            "dull, grey or brown: colourfulness 15.8, truth 40.0",
        ),
        (None, {"histogram_distance": 0.83}, "single tint, such as brown: AB histogram distance 0.83"),
        (0.05, {}, "discriminator has won: its loss is 0.05"),
        (1.387, {}, "discriminator has lost: its loss is 1.39, that of guessing 1.39"),
        (2.5, {}, "discriminator has lost: its loss is 2.50"),
    ],
)
def test_each_symptom_is_one_sentence_with_its_numbers(loss, scores, told):
    [sentence] = found(loss, **scores)
    assert told in sentence
    assert ";" not in sentence  # which joins them in the history


def test_several_symptoms_are_told_but_a_dull_output_once():
    sentences = found(0.05, colourfulness=0.0, colourfulness_gap=1.0, histogram_distance=0.85)
    assert [sentence.split()[1] for sentence in sentences] == ["output", "discriminator"]
