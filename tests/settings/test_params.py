import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from colorizer.core.errors import UserError
from settings.params import Params
from settings.params_file import read_params, write_params
from tests.support.imports import ROOT

PRESETS = sorted((ROOT / "presets").glob("*.yaml"))


def read_edited(tmp_path, *edits):
    content = (ROOT / "params.yaml").read_text(encoding="utf-8")
    for pattern, replacement in edits:
        content, count = re.subn(pattern, replacement, content, count=1)
        assert count == 1, pattern
    path = tmp_path / "params.yaml"
    path.write_text(content, encoding="utf-8")
    return read_params(path)


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_presets_are_valid_and_name_every_key_of_params(path):
    read_params(path)
    assert sorted(keys(YAML(typ="safe").load(path))) == sorted(keys(YAML(typ="safe").load(ROOT / "params.yaml")))


def keys(tree, prefix=""):
    for key, value in tree.items():
        yield prefix + key
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{key}.")


def test_a_root_that_links_to_itself_can_be_read(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    params = read_edited(tmp_path, ("root: data/sample", f"root: {tmp_path / 'loop'}"))
    assert not params.uses_sample


def test_the_committed_params_are_the_sample_preset():
    assert read_params(ROOT / "params.yaml") == read_params(ROOT / "presets" / "sample.yaml")


def test_the_paper_preset_is_the_recipe():
    params = read_params(ROOT / "presets" / "paper.yaml")
    train = params.train
    assert (train.epochs, train.l1_pretrain_epochs, train.decay_epochs, train.batch_size) == (100, 0, 0, 16)
    assert (train.learning_rate, train.betas, train.l1_weight) == (2e-4, (0.5, 0.999), 100)
    assert (train.generator.upsampling, train.discriminator.conditional, train.discriminator.output) == (
        "transposed",
        False,
        "image",
    )
    assert (params.split.train, params.split.test, params.split.shuffle) == (0.8, 0.2, False)


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (r"\n  epochs:", "\n  epoch:", "train.epoch is not a known key: did you mean epochs?"),
        (r"\n  epochs: \d+", "\n  ", "train.epochs is missing: add it"),
        (r"\n  epochs: \d+", "\n  epochs: many", "train.epochs: Input should be a valid integer (it is 'many')"),
        (r"\n  epochs: \d+", "\n  epochs: 1.5", "train.epochs: Input should be a valid integer (it is 1.5)"),
        (r"\n  epochs: \d+", "\n  epochs: 0", "train.epochs: Input should be greater than or equal to 1 (it is 0)"),
        (
            r"learning_rate: [\d.]+",
            "learning_rate: -1",
            "train.learning_rate: Input should be greater than 0 (it is -1)",
        ),
        (r"learning_rate: [\d.]+", "learning_rate: .nan", "train.learning_rate: Input should be"),
        (r"betas: \[0.5, 0.999\]", "betas: [0.5, 1.0]", "train.betas.1: Input should be less than 1 (it is 1.0)"),
        (r"betas: \[0.5, 0.999\]", "betas: [0.5]", "train.betas.1 is missing"),
        (
            r"upsampling: \w+",
            "upsampling: nearest",
            "train.generator.upsampling: Input should be 'transposed' or 'resize'",
        ),
        (r"shuffle: false", "shuffle: 1", "split.shuffle: Input should be a valid boolean (it is 1)"),
        (r"shuffle: false", "shuffle: true", "would mix training and test crops of the built-in sample"),
        (
            r"l1_pretrain_epochs: \d+",
            "l1_pretrain_epochs: 1000",
            "train: l1_pretrain_epochs is 1000 but there are only",
        ),
        (r"decay_epochs: \d+", "decay_epochs: 1000", "train: decay_epochs is 1000 but there are only"),
        (r"split:\n  train: 2000", "split:\n  train: 1900", "would mix training and test crops"),
        (r"(split:\n.*\n.*\n)  test: 500", r"\1  test: 501", "would mix training and test crops"),
        (r"(split:\n.*\n.*\n)  test: 500", r"\1  test: 0.2", "would mix training and test crops"),
        (
            r"split:\n  train: 2000",
            "split:\n  train: 1.0",
            "split.train: Input should be a whole number of at least 1, or a share above 0 and below 1 (it is 1.0)",
        ),
        (
            r"split:\n  train: 2000(.*\n.*\n)  test: 500",
            r"split:\n  train: 0.8\1  test: 0.25",
            "split: train 0.8 and test 0.25 are shares of all images, together over 1: lower them",
        ),
        (r"validation: \d+", "validation: -1", "split.validation: Input should be a whole number of at least 1, or"),
        (r"min_chroma: 0.0", "min_chroma: 15.0", "would mix training and test crops"),
        (r"drop_duplicates: false", "drop_duplicates: true", "would mix training and test crops"),
        (
            r"num_downs: auto",
            "num_downs: 0",
            "train.generator.num_downs: Input should be auto or a whole number of at least 1",
        ),
        (r"l1_weight: [\d.]+", "l1_weight: 0", "train: l1_pretrain_epochs without an l1_weight would learn nothing"),
        (r"validation: \d+", "validation: 2000", "split: validation is 2000, but it is taken from the 2000 training"),
        (
            r"keep: all",
            "keep: latest 3",
            "train.keep: String should match pattern '^(all|(last|every) [1-9][0-9]*)$' (it is 'latest 3')",
        ),
        (r"decisions: \[\]", "decisions: [{epoch: 99}]", "train: a decision is about epoch 99 but there are only"),
        (r"decisions: \[\]", "decisions: [{epoch: 2}, {epoch: 1}]", "train: decisions are about the epochs [2, 1]"),
        (r"decisions: \[\]", "decisions: [{epoch: 1, stop: true}, {epoch: 2}]", "train: decisions follow one with"),
        (r"decisions: \[\]", "decisions: [{epoch: 1, sav: true}]", "train.decisions.0.sav is not a known key: did you"),
        (r"(?s).+", "", "the file should hold `key: value` lines"),
        (r"(?s).+", "- 1", "the file should hold `key: value` lines"),
        (r"(?s)\nevaluate:.*", "\nevaluate: 5", "evaluate should hold `key: value` lines: see presets/"),
        (r"\nevaluate:", "\nevaluate:\n  int: 1", "evaluate.int is not a known key"),
        (r"root: \S+", "root: ~/arrays", "data.root: ~ is not expanded: write the whole path (it is '~/arrays')"),
        (r"\nevaluate:", "\nevalute:", "evalute is not a known key: did you mean evaluate?"),
        (r"\ndata:", "\n - data:", "is not valid YAML"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(tmp_path, pattern, replacement, message):
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        read_edited(tmp_path, (pattern, replacement))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("root", ["data/../data/sample", str(Path("data/sample").resolve())])
def test_the_sample_is_known_by_any_path(tmp_path, root):
    with pytest.raises(UserError, match="would mix training and test crops"):
        read_edited(tmp_path, (r"root: \S+", f"root: {root}"), (r"shuffle: false", "shuffle: true"))


def test_other_data_may_be_shuffled(tmp_path):
    params = read_edited(tmp_path, (r"shuffle: false", "shuffle: true"), (r"root: \S+", "root: elsewhere"))
    assert params.split.shuffle


def test_a_missing_file_says_where_presets_are(tmp_path):
    with pytest.raises(UserError, match=r"cp presets/sample\.yaml"):
        read_params(tmp_path / "params.yaml")


def test_params_cannot_be_changed():
    params = read_params(ROOT / "params.yaml")
    with pytest.raises(ValueError, match="frozen"):
        params.data.root = "elsewhere"  # type: ignore[misc]
    assert isinstance(params, Params)
    assert Path(params.data.root) == Path("data/sample")


def test_writing_keys_leaves_the_rest_as_it_is(tmp_path):
    path = tmp_path / "params.yaml"
    before = (ROOT / "params.yaml").read_text(encoding="utf-8")
    path.write_text(before, encoding="utf-8")
    decisions = [{"epoch": 1, "save": False, "learning_rate": 1e-05, "stop": False}]
    write_params({"train.ask": True, "train.decisions": decisions}, path)
    after = path.read_text(encoding="utf-8")
    assert [line.split("#")[0].rstrip() for line in after.splitlines() if line not in before.splitlines()] == [
        "  ask: true",
        "  decisions:",
        "  - {epoch: 1, save: false, learning_rate: 1e-05, stop: false}",
    ]
    comments = [[line.split("#")[1] for line in text.splitlines() if "#" in line] for text in (before, after)]
    assert comments[0] == comments[1]
    train = read_params(path).train
    assert train.ask
    assert [decision.model_dump() for decision in train.decisions] == decisions
    path.write_text(after.replace("stop: false}", "stop: false}  # too bold\n  # what comes next"), encoding="utf-8")
    write_params({"train.decisions": [*decisions, {"epoch": 2, "save": True}]}, path)
    assert [decision.epoch for decision in read_params(path).train.decisions] == [1, 2]
    assert "# too bold" in path.read_text(encoding="utf-8")
    assert "# what comes next" in path.read_text(encoding="utf-8")
    again = path.read_text(encoding="utf-8")
    with pytest.raises(UserError, match="a decision is about epoch 99 but there are only"):
        write_params({"train.decisions": [{"epoch": 99}]}, path)
    assert path.read_text(encoding="utf-8") == again


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("  num_processes: 1", ("  devices: 1", "train.devices is called train.num_processes now")),
        ("  monitor: combined_score", ("  choose: balance", "train.choose is called train.monitor now")),
        (
            "    num_downs: auto",
            ("    halvings: auto", "train.generator.halvings is called train.generator.num_downs now"),
        ),
        (
            "    conditional: true",
            ("    sees: lab", "train.discriminator.sees is called train.discriminator.conditional"),
        ),
    ],
)
def test_an_earlier_name_is_one_line_with_the_new_one(tmp_path, line, told):
    earlier, message = told
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        read_edited(tmp_path, (re.escape(line), earlier))
    assert "missing" not in str(caught.value)
