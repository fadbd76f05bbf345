"""Answers about an epoch, and what is advised after one that diverged; in a terminal: tests/journeys/test_asking.py."""

import pytest
from ruamel.yaml import YAML

from colorizer.epochs.decision import Decision, prompt
from colorizer.epochs.decisions import Decisions
from colorizer.epochs.scratch import Scratch
from colorizer.training.recipe import Recipe
from settings.params import DecisionParams

RECIPE = Recipe(learning_rate=6e-4, betas=(0.5, 0.999), l1_weight=100.0, epochs=3)


def answers(*lines, is_last=False):
    remaining, shown = iter(f"{line}\n" for line in lines), []
    decision = prompt(3, 0.01, is_last=is_last, read=lambda: next(remaining), write=shown.append)
    assert list(remaining) == []
    return decision, "".join(shown)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("", ""), Decision(epoch=3)),
        (("y", "0.002"), Decision(epoch=3, learning_rate=0.002)),
        (("No", "1e-5"), Decision(epoch=3, save=False, learning_rate=1e-5)),
        (("s",), Decision(epoch=3, stop=True)),
        (("n", "stop"), Decision(epoch=3, save=False, stop=True)),
    ],
)
def test_answers(lines, expected):
    assert answers(*lines)[0] == expected


def test_nonsense_is_asked_again():
    decision, shown = answers("maybe", "y", "fast", "-1", "nan", "0.5")
    assert decision == Decision(epoch=3, learning_rate=0.5)
    assert shown.count("Answer with Enter or y, n, or s.") == 1
    assert shown.count("Answer with Enter, a number above 0 such as 0.0001, or s.") == 3


def test_after_the_last_epoch_neither_learning_rate_nor_stop_is_asked():
    assert answers("s", "n", is_last=True)[0] == Decision(epoch=3, save=False)


@pytest.mark.parametrize("key", ["train.learning_rate", "train.start_learning_rate"])
def test_when_the_first_epoch_diverges_there_is_nothing_to_go_on_from(tmp_path, key):
    decisions = Decisions(Scratch(tmp_path), [], [], recipe=RECIPE, monitor="combined_score", ask=False, rate_param=key)
    assert decisions.after_divergence(1) == (
        f"no epoch is finished yet: lower {key} in params.yaml, for example to 6e-05"
    )


@pytest.mark.parametrize(
    ("known", "advised"),
    [
        ([], "{epoch: 1, learning_rate: 6e-05}"),
        ([Decision(epoch=1, learning_rate=0.5)], "{epoch: 1, learning_rate: 0.05}"),
        ([Decision(epoch=1, save=False, learning_rate=0.5)], "{epoch: 1, save: false, learning_rate: 0.05}"),
        ([Decision(epoch=1, save=False)], "{epoch: 1, save: false, learning_rate: 6e-05}"),
    ],
)
def test_what_is_known_about_the_last_good_epoch_stays_in_the_advice(tmp_path, known, advised):
    decisions = Decisions(Scratch(tmp_path), known, [], recipe=RECIPE, monitor="combined_score", ask=False)
    message = decisions.after_divergence(2)
    assert f"put `- {advised}` or another rate" in message
    assert DecisionParams(**YAML(typ="safe").load(advised)).save == all(decision.save for decision in known)
