"""`python -m colorizer score` as a person uses it, in the miniature."""

import json

import pytest

from tests.support.colorizer_command import run_colorizer

CHOSEN, FIRST = "models/generator.safetensors", "models/checkpoints/epoch-0001.safetensors"


@pytest.fixture
def score(miniature, monkeypatch, capsys):
    """Run the command in the miniature; gives exit code and what it printed on standard error, but for progress."""
    monkeypatch.chdir(miniature.path)

    def run(*arguments: object) -> tuple[int, list[str]]:
        code = run_colorizer("score", *arguments)
        return code, [line for line in capsys.readouterr().err.splitlines() if not line.startswith("score: ")]

    return run


def test_two_models_on_the_test_images(score, miniature, tmp_path):
    out = tmp_path / "new" / "scores.json"
    assert score(FIRST, CHOSEN, "--out", out) == (0, [f"colorizer: scores of 2 models in {out}"])
    scores = json.loads(out.read_text(encoding="utf-8"))
    assert list(scores) == [FIRST, CHOSEN]
    assert scores[CHOSEN] == json.loads((miniature.path / "metrics.json").read_text(encoding="utf-8"))["model"]
    assert scores[FIRST].keys() == scores[CHOSEN].keys()

    score(FIRST, "--out", out, "--batch-size", 3, "--images", "data/split/validation.csv")
    assert json.loads(out.read_text(encoding="utf-8"))[FIRST] != scores[FIRST]


def test_a_mistake_is_one_line(score, tmp_path):
    (tmp_path / "other.csv").write_text("image\n64\n", encoding="utf-8")
    (tmp_path / "no.csv").write_text("number\n1\n", encoding="utf-8")
    for arguments, told in {
        ("models/absent.safetensors",): "models/absent.safetensors is missing: is the name right? `dvc repro train`",
        ("params.yaml",): "params.yaml is not a model",
        (CHOSEN, "--store", "absent.npy"): "absent.npy is missing",
        (CHOSEN, "--images", "absent.csv"): "absent.csv is missing",
        (CHOSEN, "--images", tmp_path / "no.csv"): "is not a table with image numbers",
        (CHOSEN, "--images", tmp_path / "other.csv"): "names images that data/lab.npy does not hold",
        (CHOSEN, "--images", "data"): "data: is a directory",
    }.items():
        code, lines = score(*arguments, "--out", tmp_path / "scores.json")
        assert code == 1, told
        assert len(lines) == 1, lines
        assert told in lines[0]
    assert not (tmp_path / "scores.json").exists()
