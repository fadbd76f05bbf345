"""What a sweep tries, and how it is ranked."""

import shutil
from datetime import date

import pytest

from colorizer.core.errors import UserError
from pipeline.sweeps.candidates import (
    Candidate,
    Scores,
    pin_start_models,
    read_candidates,
    read_scores,
    write_ranking,
)
from settings.params_file import read_params, write_params
from tests.support.imports import ROOT
from tests.support.workspace import Workspace


@pytest.fixture
def folder(tmp_path):
    shutil.copy(ROOT / "presets/sample.yaml", tmp_path / "params.yaml")
    return tmp_path


def test_every_combination_is_tried_once_beside_what_is_listed(folder):
    grid = {"train.learning_rate": [0.0003, 0.0006], "train.l1_pretrain_epochs": [2, 10]}
    listed = [{"train": {"l1_pretrain_epochs": 2, "learning_rate": 0.0003}}, {"train.epochs": 17}]
    chosen = read_candidates(folder, folder / "sweep", grid, listed, {})
    assert [candidate.name for candidate in chosen] == [
        "l1_pretrain_epochs=2 learning_rate=0.0003",
        "l1_pretrain_epochs=10 learning_rate=0.0003",
        "l1_pretrain_epochs=2 learning_rate=0.0006",
        "l1_pretrain_epochs=10 learning_rate=0.0006",
        "epochs=17",
    ]
    assert len({candidate.workspace for candidate in chosen}) == 5
    assert read_params(chosen[1].workspace / "params.yaml").train.l1_pretrain_epochs == 10
    assert chosen[3].options == "--set train.l1_pretrain_epochs=10 --set train.learning_rate=0.0006"
    again = read_candidates(folder, folder / "sweep", {}, [{"train.epochs": 17}], {})
    assert again == chosen[4:]


def test_a_registered_name_means_one_version_in_all_trainings_of_a_sweep(folder):
    """Whatever is promoted meanwhile."""
    project = Workspace(folder)
    for command in ("init --quiet", "config user.name a", "config user.email a@example.com", "add --all"):
        project.git(*command.split())

    def promote(version: str) -> None:
        project.git("commit", "--quiet", "--allow-empty", "--message", version)
        project.run("gto", "register", "generator", "HEAD", "--version", version)
        project.run("gto", "assign", "generator", "--version", version, "--stage", "prod")

    def begun_from(chosen: list[Candidate]) -> list[str | None]:
        return [read_params(candidate.workspace / "params.yaml").train.start_from for candidate in chosen]

    promote("v0.1.0")
    write_params({"train.start_from": "generator#prod"}, folder / "params.yaml")
    grid = {"train.learning_rate": [0.0003, 0.0006]}
    listed = [{"train.start_from": "generator#prod"}, {"train.start_from": None}]
    chosen = read_candidates(folder, folder / "sweep", grid, listed, {})
    assert begun_from(chosen) == [*["generator@v0.1.0"] * 3, None]
    assert chosen[2].name == 'start_from="generator@v0.1.0"'
    pin = pin_start_models(folder)
    assert pin("generator#prod") == "generator@v0.1.0"
    promote("v0.2.0")
    assert pin("generator#prod") == "generator@v0.1.0"
    assert begun_from(read_candidates(folder, folder / "sweep", grid, [], {})) == ["generator@v0.2.0"] * 2


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            {"split.train": 20},
            "split.train cannot be tried: a sweep compares trainings by the same images and criterion",
        ),
        ({"train.monitor": "ab_error"}, "train.monitor cannot be tried"),
        ({"train.start_from": "pretrained/none"}, "pretrained/none is missing, which train.start_from names"),
        ({"train.start_from": "models/generator"}, "train.start_from: write generator@VERSION"),
        ({"train.seed": date(2020, 1, 1)}, "a param is a number, a text, true, false, null, or a list of these"),
        ({"train.epoch": 3}, '^{"train.epoch": 3}: train.epoch is not a known key: did you mean epochs?'),
    ],
)
def test_what_cannot_be_tried_is_told(folder, overrides, told):
    with pytest.raises(UserError, match=told.replace("?", r"\?")):
        read_candidates(folder, folder / "sweep", {}, [overrides], {})
    assert not [*folder.glob("sweep/*")]


def test_a_missing_model_matters_only_to_candidates_that_begin_from_it(folder):
    write_params({"train.start_from": "pretrained/none"}, folder / "params.yaml")
    grid = {"train.start_from": [None], "train.seed": [0, 1]}
    assert len(read_candidates(folder, folder / "sweep", grid, [], {})) == 2
    with pytest.raises(UserError, match=r"pretrained/none is missing, which train\.start_from names"):
        read_candidates(folder, folder / "sweep", {"train.seed": [0, 1]}, [], {})


def test_without_validation_images_there_is_nothing_to_rank_by(folder):
    write_params({"split.validation": 0}, folder / "params.yaml")
    with pytest.raises(UserError, match=r"set split\.validation"):
        read_candidates(folder, folder / "sweep", {"train.epochs": [17, 18]}, [], {})


def test_decisions_would_decide_for_every_candidate(folder):
    write_params({"train.decisions": [{"epoch": 1, "learning_rate": 0.1}]}, folder / "params.yaml")
    with pytest.raises(UserError, match=r"train\.decisions in params.yaml would decide"):
        read_candidates(folder, folder / "sweep", {"train.learning_rate": [0.2, 0.3]}, [], {})


def test_scores_are_those_of_the_epoch_that_became_the_model(folder):
    (folder / "reports").mkdir()
    (folder / "reports/history.csv").write_text(
        "epoch,discriminator_loss,validation_combined_score,validation_psnr,warnings\n"
        '1,,1.5,20.0,"the output is dull, grey or brown"\n2,1.2,0.9,21.0,\n3,1.2,,22.0,\n',
        encoding="utf-8",
    )
    scores = read_scores(Candidate(settings="{}", workspace=folder))
    assert scores == Scores(criterion="combined_score", epoch=2, validation={"combined_score": 0.9, "psnr": 21.0})


def test_the_smallest_score_comes_first_and_what_failed_last(tmp_path):
    dull, failed, best, pruned, diverged = (
        Candidate(settings=f'{{"train.epochs": {epochs}}}', workspace=tmp_path / f"{epochs}") for epochs in range(1, 6)
    )
    scores = {
        candidate: Scores(
            criterion="combined_score", epoch=1, validation={"combined_score": score}, pruned=candidate is pruned
        )
        for candidate, score in ((dull, 1.5), (pruned, 0.8), (best, 0.9), (diverged, float("nan")))
    }
    rows = write_ranking(tmp_path / "ranking.csv", [dull, failed, best, pruned, diverged], scores)
    assert [row["train.epochs"] for row in rows] == [3, 1, 5, 4, 2]
    assert (tmp_path / "ranking.csv").read_text(encoding="utf-8") == (
        "rank,Experiment,train.epochs,epoch,validation.combined_score\n"
        "1,3,3,1,0.9\n2,1,1,1,1.5\n3,5,5,1,nan\npruned,4,4,1,0.8\nfailed,2,2,,\n"
    )
