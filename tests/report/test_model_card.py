"""The model card, read as a hub reads it, without one."""

import re
from dataclasses import replace

import pytest
from huggingface_hub import ModelCard

from colorizer.report.failures import where_it_fails
from colorizer.report.model_card import Data, Weights, model_card
from settings.params_file import flat, read_params
from tests.report.test_failures import made_scores
from tests.report.test_html import FAILURES, METRICS, SCORES
from tests.support.imports import ROOT

SPLIT = {"split.train": 1000, "split.shuffle": True}
MINE = Data(
    name="the arrays in data/mine",
    is_sample=False,
    shape=(48, 64),
    train=900,
    validation=100,
    test=500,
    split=SPLIT,
)
SAMPLE = replace(MINE, name="the built-in sample", is_sample=True)


@pytest.fixture
def weights(monkeypatch) -> Weights:
    """As the committed params train them."""
    monkeypatch.chdir(ROOT)
    params = flat({"train": read_params().train.model_dump(mode="json")})
    metadata = {"epoch": 12, "training": {"params": params}}
    return Weights(file="generator.safetensors", sha256="ab12" * 16, count=3_570_882, metadata=metadata)


def write(weights: Weights, data: Data = MINE, failures=FAILURES) -> str:
    return model_card(weights, data, METRICS, ["It is epoch 12.", "Trained on a CPU."], failures, "examples.png")


def test_a_hub_finds_its_fields(weights):
    fields = ModelCard(write(weights)).data
    assert fields["license"] == "unknown"  # the project cannot know what the images allow
    assert fields["pipeline_tag"] == "image-to-image"
    assert "image-colorization" in fields["tags"]
    assert {result.metric_type: result.metric_value for result in fields["eval_results"]} == SCORES
    assert {(result.dataset_name, result.dataset_split) for result in fields["eval_results"]} == {
        ("the arrays in data/mine", "test")
    }
    assert fields["metrics"] == list(SCORES)


def test_it_says_what_was_trained_on_what_and_how_well(weights):
    card = write(weights)
    assert "900 training images, 100 validation images and 500 test images of 64 x 48 px, from the arrays" in card
    assert "These are few." in card
    assert "3,570,882 weights" in card
    assert "100 x L1 of A and B + the adversarial loss + 100 x the sliced Wasserstein distance" in card
    assert "- It is epoch 12.\n- Trained on a CPU.\n" in card
    assert "train.l1_weight: 100.0\n" in card
    assert "split.shuffle: true\n" in card
    assert "| mean chroma | 21.00 |" in card
    assert re.search(r"\| lightness \| dark \| 82.0 to 84.0 \| .* \| \d+% \|\n", card)
    assert "It is worst on the **dark** third by lightness" in card
    assert f"`generator.safetensors` has the SHA-256 `{weights.sha256}`" in card
    assert "photographs are:" not in card  # those of the sample
    assert "These are few." not in write(weights, replace(MINE, train=20_000))
    assert "validation images chose" not in write(weights, replace(MINE, validation=0))
    assert "too few test images" in write(weights, failures=where_it_fails(made_scores(1)))


def test_the_pretrained_encoder_is_named_with_its_licence_where_it_was_used(weights):
    params = weights.metadata["training"]["params"]
    assert "Google's EfficientNet-Lite0, Apache-2.0" in write(weights)
    assert re.search(r"128 px and was\s+frozen", write(weights))
    params["train.encoder_learning_rate"] = 0.0001
    assert re.search(r"was\s+trained further at a learning rate of 0.0001", write(weights))
    params["train.generator.encoder"] = "plain"
    assert "EfficientNet" not in write(weights).replace("efficientnet-lite0", "")


def test_the_photographs_of_the_sample_are_named_as_in_the_guide_to_the_data(weights):
    card = write(weights, SAMPLE)
    assert "knows only what these eight look like" in card
    guide = (ROOT / "data/README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (\w+) \| (.+) \| (.+) \|$", guide.split("## The built-in sample")[1], re.MULTILINE)
    rows = [row for row in table if row[0] != "photograph"]
    assert len(rows) == 8
    for name, author, licence in rows:
        [entry] = re.findall(rf"^- {name}: (.+\n(?:  .+\n)*)", card, re.MULTILINE)
        assert entry.startswith(author), name
        assert licence.split(";")[0] in entry, name


def test_no_line_break_of_a_name_ends_the_header(weights):
    card = write(weights, replace(MINE, name="the arrays in data/a\n---\nb: `c`"))
    assert ModelCard(card).data["eval_results"][0].dataset_name == "the arrays in data/a\\n---\\nb: `c`"
    assert "px, from the arrays in data/a\\n---\\nb: `c`." in card
