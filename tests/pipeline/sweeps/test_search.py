"""A search as its flow drives it, with trainings whose scores are a formula."""

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import pytest

from colorizer.core.errors import UserError
from pipeline.sweeps.candidates import Candidate, PrunedError, Scores, read_scores
from pipeline.sweeps.pruning import FIRST_AT_RANDOM, Pruner
from pipeline.sweeps.ranges import Range
from pipeline.sweeps.search import Search
from settings.params_file import write_params
from tests.support.imports import ROOT

VALUES = {
    "train.learning_rate": Range(low=1e-4, high=1e-1, log=True),
    "train.l1_weight": Range(low=1, high=100, log=False),
    "train.generator.width": [8, 16],
}
EPOCHS = 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    shutil.copy(ROOT / "presets/sample.yaml", tmp_path / "params.yaml")
    write_params({"train.epochs": EPOCHS, "train.l1_pretrain_epochs": 1}, tmp_path / "params.yaml")
    (tmp_path / "sweep").mkdir()
    return tmp_path


def open_search(folder: Path, total: int) -> Search:
    return Search(folder, folder / "sweep", VALUES, {}, total)


def train(candidate: Candidate, pruner: Pruner) -> Scores:
    """Write what a training would: scores that get better by the epoch, and are best at a rate of 0.01."""
    distance = abs(math.log10(candidate.overrides["train.learning_rate"]) + 2) + 1
    rows = [f"{epoch},{distance + 1 / epoch}" for epoch in range(1, EPOCHS + 1)]
    history = candidate.workspace / "reports/history.csv"
    history.parent.mkdir(exist_ok=True)
    history.write_text("\n".join(["epoch,validation_combined_score", *rows, ""]), encoding="utf-8")
    try:
        pruner.finish()
    except PrunedError as error:
        return error.scores
    return read_scores(candidate)


def carry_out(search: Search, trainings: int = 1000) -> Iterator[tuple[str, Scores]]:
    for _, (candidate, pruner) in zip(range(trainings), search.candidates(), strict=False):
        scores = train(candidate, pruner)
        search.record(candidate, scores)
        yield candidate.settings, scores


def test_it_learns_where_good_settings_are_and_prunes_what_lags_behind(folder):
    found = list(carry_out(open_search(folder, 16)))
    distances = [abs(math.log10(json.loads(settings)["train.learning_rate"]) + 2) for settings, _ in found]
    assert mean(distances[FIRST_AT_RANDOM:]) < mean(distances[:FIRST_AT_RANDOM])
    assert not any(scores.pruned for _, scores in found[:FIRST_AT_RANDOM])
    assert {scores.epoch for _, scores in found if scores.pruned} == {2}  # after the epoch of L1 alone


def test_killed_anywhere_it_goes_on_as_if_it_had_not_been(folder, tmp_path_factory):
    undisturbed = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(folder, undisturbed, dirs_exist_ok=True)
    expected = list(carry_out(open_search(undisturbed, 9)))

    found = list(carry_out(open_search(folder, 9), trainings=7))
    killed = open_search(folder, 9)
    begun, _ = next(killed.candidates())
    journal = folder / "sweep/optuna.journal"
    with journal.open("ab") as file:
        file.write(b'{"op_code":4,"wor')  # cut off by a power cut
    (folder / "sweep/optuna.journal.lock").symlink_to(journal)  # which nobody will ever release
    search = open_search(folder, 9)
    assert len(search.scores) == 7
    found += list(carry_out(search))
    assert found[7][0] == begun.settings
    assert found == expected
    assert not list(open_search(folder, 9).candidates())
    assert len(list(carry_out(open_search(folder, 10)))) == 1


def test_a_training_without_a_score_is_tried_first_when_the_search_goes_on(folder):
    search = open_search(folder, 3)
    failed, _ = next(search.candidates())
    again = [settings for settings, _ in carry_out(open_search(folder, 3))]
    assert again[0] == failed.settings
    assert len(again) == 3


def test_a_training_that_diverges_is_not_tried_again_and_says_where_not_to_look(folder):
    search = open_search(folder, FIRST_AT_RANDOM + 4)
    rates = []
    for candidate, pruner in search.candidates():
        rates.append(candidate.overrides["train.learning_rate"])
        if rates[-1] > 1e-3:
            search.give_up(candidate)
        else:
            search.record(candidate, train(candidate, pruner))
    assert len(rates) == FIRST_AT_RANDOM + 4
    assert not list(open_search(folder, FIRST_AT_RANDOM + 4).candidates())
    assert max(rates[:FIRST_AT_RANDOM]) > 1e-3
    assert mean(map(math.log10, rates[FIRST_AT_RANDOM:])) < mean(map(math.log10, rates[:FIRST_AT_RANDOM]))


def test_settings_that_diverged_are_known_when_the_search_goes_on(folder):
    values = {"train.epochs": Range(low=4, high=5, log=False)}
    search = Search(folder, folder / "sweep", values, {}, 6)
    candidates = search.candidates()
    first, second = next(candidates)[0], next(candidates)[0]
    search.give_up(first)
    search.record(second, Scores(criterion="combined_score", epoch=1, validation={"combined_score": 1.0}))
    assert next(candidates, None) is None
    again = Search(folder, folder / "sweep", values, {}, 8)
    assert again.diverged == [first]
    assert not list(again.candidates())


def test_params_that_change_meanwhile_end_the_search(folder):
    candidates = open_search(folder, 3).candidates()
    next(candidates)
    before = (folder / "params.yaml").read_bytes()
    write_params({"train.batch_size": 8}, folder / "params.yaml")
    with pytest.raises(UserError, match=r"params.yaml, code or a model to begin from has changed since the search"):
        next(candidates)
    (folder / "params.yaml").write_bytes(before)
    assert len(list(carry_out(open_search(folder, 3)))) == 3


def test_the_same_settings_are_trained_once(folder):
    values = {"train.epochs": Range(low=4, high=5, log=False)}
    search = Search(folder, folder / "sweep", values, {}, 6)
    candidates = search.candidates()
    first, _ = next(candidates)
    second, _ = next(candidates)
    assert {first.overrides["train.epochs"], second.overrides["train.epochs"]} == {4, 5}
    assert next(candidates, None) is None
    for candidate in (first, second):
        search.record(candidate, Scores(criterion="combined_score", epoch=1, validation={"combined_score": 1.0}))
    again = Search(folder, folder / "sweep", values, {}, 6)
    assert len(again.scores) == 2
    assert not list(again.candidates())


def test_words_and_models_to_begin_from_can_be_searched_too(folder):
    model = folder / "pretrained/model.safetensors"
    model.parent.mkdir()
    model.write_bytes(b"weights")
    write_params({"train.start_from": "pretrained/none"}, folder / "params.yaml")  # which no training begins from
    words = {"train.precision": ["fp32", "bf16"], "train.start_from": [None, "pretrained/model.safetensors"]}
    search = Search(folder, folder / "sweep", {"train.learning_rate": VALUES["train.learning_rate"], **words}, {}, 8)
    chosen = [json.loads(settings) for settings, _ in carry_out(search)]
    for key, values in words.items():
        assert {settings[key] for settings in chosen} == set(values)


def test_another_model_to_begin_from_is_another_study(folder):
    model = folder / "pretrained/model.safetensors"
    model.parent.mkdir()
    model.write_bytes(b"before")
    write_params({"train.start_from": "pretrained/model.safetensors"}, folder / "params.yaml")
    list(carry_out(open_search(folder, 2)))
    assert len(open_search(folder, 2).scores) == 2
    model.write_bytes(b"after")
    assert not open_search(folder, 2).scores


def test_other_params_or_arrays_are_another_study(folder):
    list(carry_out(open_search(folder, 2)))
    assert len(open_search(folder, 2).scores) == 2
    assert not Search(folder, folder / "sweep", VALUES, {"data/l": "changed"}, 2).scores
    write_params({"train.batch_size": 8}, folder / "params.yaml")
    assert not open_search(folder, 2).scores


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("train.learning_rates", "not a known key"),
        ("split.seed", "split.seed cannot be tried"),
        ("train.ema_decay", "less than 1"),
    ],
)
def test_ends_that_cannot_be_tried_are_told_before_anything_runs(folder, key, told):
    with pytest.raises(UserError, match=told):
        Search(folder, folder / "sweep", {key: Range(low=0.5, high=2.0, log=False)}, {}, 3)
    assert not [*(folder / "sweep").iterdir()]
