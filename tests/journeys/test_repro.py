"""End to end, as a user goes: `dvc repro` on a miniature data set in a temporary clone, and what comes after."""

import hashlib
import json
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image
from ruamel.yaml import YAML

from colorizer.core.digests import file_digest
from colorizer.data.raw import write_raw
from tests.support.imports import ROOT
from tests.support.workspace import BIN, MINIATURE, make_miniature, make_workspace

DATA_STAGES = ("sample", "locate", "load", "concatenate", "normalize", "split")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, miniature):
    return miniature.copy(tmp_path_factory.mktemp("clone"))


@pytest.fixture
def restored(workspace):
    """The workspace, put back to its params after the test."""
    before = (workspace.path / "params.yaml").read_bytes()
    yield workspace
    (workspace.path / "params.yaml").write_bytes(before)
    workspace.dvc("checkout", "--force", check=False)


def lock(workspace):
    return YAML(typ="safe").load(workspace.path / "dvc.lock")["stages"]


def test_everything_promised_is_there(workspace):
    checkpoints = sorted(path.name for path in (workspace.path / "models/checkpoints").iterdir())
    assert checkpoints == ["epoch-0001.safetensors", "epoch-0002.safetensors"]
    history = pd.read_csv(workspace.path / "reports/history.csv")
    assert history["epoch"].tolist() == [1, 2]
    chosen = history.loc[history["validation_combined_score"].idxmin(), "epoch"]
    best = (workspace.path / f"models/checkpoints/epoch-{chosen:04d}.safetensors").read_bytes()
    assert (workspace.path / "models/generator.safetensors").read_bytes() == best
    card = (workspace.path / "reports/evaluation/score_card.txt").read_text(encoding="utf-8")
    assert f"that of epoch {chosen} of 2, chosen by combined score: " in card
    assert "cpu" in card
    assert f"PyTorch {torch.__version__}" in card
    for loss in ("discriminator_loss", "swd_loss"):
        assert history[loss].isna().tolist() == [True, False]  # the first epoch is L1 alone
    assert history["warnings"].str.contains("the output is dull, grey or brown: colourfulness").all()
    assert len(list((workspace.path / "reports/samples").iterdir())) == 2
    metrics = json.loads((workspace.path / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["test_images"] == 16
    assert metrics["grey"]["colourfulness"] == 0
    scores = pd.read_csv(workspace.path / "reports/evaluation/scores.csv")
    assert scores["image"].tolist() == list(range(48, 64))
    assert scores["model_psnr"].mean() == pytest.approx(metrics["model"]["psnr"], abs=1e-3)
    assert scores["truth_texture"].min() > 0
    failures = pd.read_csv(workspace.path / "reports/evaluation/failures.csv")
    assert failures["images"].tolist() == [16, *[6, 5, 5] * 3]
    assert failures["psnr"][0] == pytest.approx(metrics["model"]["psnr"], abs=1e-3)
    assert (workspace.path / "reports/evaluation/worst_by_kind.png").is_file()
    assert (workspace.path / "reports/evaluation/report.html").stat().st_size > 10_000


def test_the_model_card_lies_beside_the_model(workspace):
    card = (workspace.path / "models/README.md").read_text(encoding="utf-8")
    metrics = json.loads((workspace.path / "metrics.json").read_text(encoding="utf-8"))
    [psnr] = [result for result in ModelCard(card).data["eval_results"] if result.metric_type == "psnr"]
    assert psnr.metric_value == metrics["model"]["psnr"]
    assert psnr.dataset_name == "the arrays in data"
    assert "40 training images, 8 validation images and 16 test images of 32 x 32 px" in card
    assert file_digest(workspace.path / "models/generator.safetensors") in card
    for picture in re.findall(r"!\[.*\]\((.*)\)", card):
        with Image.open(workspace.path / "models" / picture) as image:
            assert image.width > 3 * 128


def test_baselines_are_what_they_say(workspace, photographs):
    metrics = json.loads((workspace.path / "metrics.json").read_text(encoding="utf-8"))
    truth = photographs[48:, ..., 1:].astype(float)
    training = pd.read_csv(workspace.path / "data/split/train.csv")["image"]
    assert len(training) == 40  # 48 less 8 for validation
    mean = photographs[training][..., 1:].mean(axis=(0, 1, 2))
    assert metrics["grey"]["ab_error"] == pytest.approx(np.abs(truth - 128).mean(), abs=1e-3)
    assert metrics["mean_chroma"]["ab_error"] == pytest.approx(np.abs(truth - mean).mean(), abs=1e-3)


def test_nothing_to_do_takes_under_three_seconds(workspace):
    seconds = []
    for _ in range(10):  # other tests may take the cores
        started = time.monotonic()
        output = workspace.run(str(BIN / "dvc"), "repro").stdout
        seconds.append(time.monotonic() - started)
        if seconds[-1] < 3:
            break
    assert min(seconds) < 3
    assert output.count("didn't change, skipping") == len(lock(workspace))
    assert "Running" not in output


def test_git_sees_only_what_is_to_be_committed(workspace):
    changed = {line[3:] for line in workspace.git("status", "--porcelain").splitlines()}
    assert changed == {"dvc.lock", "metrics.json", "params.yaml"}


def test_on_another_cpu_the_last_line_of_the_score_card_is_true(committed):
    """What it speaks of is changed, and nothing else; leaving it or committing it, nothing is to do."""
    another = {"ATEN_CPU_CAPABILITY": "default"}
    committed.dvc("repro", "--single-item", "--force", "train", **another)
    committed.dvc("repro", **another)
    changed = committed.git("status", "--porcelain").splitlines()
    assert changed in ([" M dvc.lock", " M metrics.json"], [" M dvc.lock"])  # scores are rounded
    line = (committed.path / "reports/evaluation/score_card.txt").read_text(encoding="utf-8").splitlines()[-1]
    assert line.startswith("`git status` shows dvc.lock and metrics.json as changed?")
    assert line.endswith("leave them, or commit them.")
    assert "Data and pipelines are up to date." in committed.dvc("repro").stdout
    committed.git("commit", "--quiet", "--message=mine", "dvc.lock", "metrics.json")
    assert committed.git("status", "--porcelain") == ""
    assert "Data and pipelines are up to date." in committed.dvc("repro").stdout


def test_raw_arrays_are_left_alone(workspace, photographs):
    assert (np.load(workspace.path / "data/l/gray_scale.npy") == photographs[..., 0]).all()
    assert sorted(path.name for path in (workspace.path / "data/ab").iterdir()) == ["ab1.npy", "ab2.npy", "ab3.npy"]


def test_equal_inputs_give_equal_bytes_elsewhere(workspace, tmp_path, photographs):
    """Same hashes from another folder at another time: no output holds a clock time, a rate or an absolute path."""
    other = make_miniature(tmp_path, photographs)
    assert lock(other) == lock(workspace)
    outputs = [
        path for name in ("data", "models", "reports") for path in (other.path / name).rglob("*") if path.is_file()
    ]
    assert len(outputs) > 15
    for path in [*outputs, other.path / "metrics.json"]:
        content = path.read_bytes()
        for forbidden in (str(other.path), time.strftime("%Y-%m-%d")):
            assert forbidden.encode() not in content, (path, forbidden)
        if path.suffix in (".csv", ".json", ".txt"):
            words = re.findall(r"\d\d:\d\d:\d\d|second|rate_|per_second|host", content.decode())
            assert words == [], path


def test_metrics_plots_and_params_can_be_compared(restored):
    restored.git("add", "--all")
    restored.git("commit", "--quiet", "--message=miniature")
    assert "psnr" in restored.dvc("metrics", "show").stdout
    restored.edit_params(learning_rate="0.001")
    assert list(json.loads(restored.dvc("status", "--json").stdout)) == ["train"]
    output = restored.dvc("repro").stdout
    assert [stage for stage in lock(restored) if f"Running stage '{stage}'" in output] == ["train", "evaluate"]
    assert "model.psnr" in restored.dvc("metrics", "diff").stdout
    assert "train.learning_rate" in restored.dvc("params", "diff").stdout
    restored.dvc("plots", "diff", "HEAD", "--out", "plots")
    page = (restored.path / "plots/index.html").read_text(encoding="utf-8")
    for name in ("workspace", "HEAD"):
        sheet = f"static/{name}_reports_samples_epoch-0002.png"
        assert sheet in page
        assert (restored.path / "plots" / sheet).is_file()
    restored.run("rm", "-r", "plots")
    restored.git("checkout", "--", ".")


def test_another_split_touches_no_pixels(restored):
    restored.edit_params(split__train="40")
    output = restored.dvc("repro", "split", "normalize").stdout
    assert "Running stage 'split'" in output
    assert "Stage 'concatenate' didn't change" in output
    restored.git("checkout", "--", "dvc.lock")


BAD_PARAMS = {
    "no such folder": ({"root": "data/nowhere"}, "data/nowhere/l/gray_scale.npy is missing: put the greyscale images"),
    "truncated": ({"root": "data/truncated"}, "data/truncated/ab/ab2.npy is truncated"),
    "wrong encoding": ({"root": "data/inverted"}, "are colours that no screen shows"),
    "too large a split": ({"split__test": "17"}, "split.train + split.test ask for 48 + 17 images but there are 64"),
    "wrong type": ({"epochs": "none"}, "train.epochs: Input should be a valid integer"),
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory, photographs):
    """A workspace in which nothing has run yet, with good and bad raw arrays."""
    workspace = make_workspace(tmp_path_factory.mktemp("empty"))
    (workspace.path / "dvc.lock").unlink()
    for name in ("good", "truncated", "inverted"):
        write_raw(workspace.path / "data" / name, photographs)
    truncated = workspace.path / "data/truncated/ab/ab2.npy"
    truncated.write_bytes(truncated.read_bytes()[:-1])
    inverted = photographs.copy()
    inverted[..., 0] = 255 - inverted[..., 0]
    write_raw(workspace.path / "data/inverted", inverted)
    workspace.edit_params(root="data/good", **MINIATURE)
    return workspace


@pytest.mark.parametrize("name", BAD_PARAMS)
def test_a_mistake_ends_in_one_line_before_any_large_write(empty, name):
    edit, message = BAD_PARAMS[name]
    before = (empty.path / "params.yaml").read_bytes()
    empty.edit_params(**edit)
    result = empty.dvc("repro", check=False)
    (empty.path / "params.yaml").write_bytes(before)
    assert result.returncode != 0
    assert sum(message in line for line in result.stdout.splitlines()) == 1
    assert "Traceback" not in result.stdout
    assert not (empty.path / "data/lab.npy").exists()


def test_what_dvc_cannot_read_is_explained_before_it_tries_to(restored):
    mine = restored.path / "data/mine"
    for name in ("l", "ab"):
        shutil.copytree(restored.path / "data" / name, mine / name)
    (mine / "ab/ab1.npy").unlink()
    (mine / "ab/ab1.npy").symlink_to("gone")
    restored.edit_params(root="data/mine")
    result = restored.dvc("repro", check=False)
    assert result.returncode != 0
    assert "locate: data/mine/ab/ab1.npy cannot be read (it is a link to gone, which is not there)" in result.stdout
    assert "Errno" not in result.stdout
    shutil.rmtree(mine)
    restored.git("checkout", "--", "dvc.lock")


def test_train_and_evaluate_refuse_to_run_without_the_normalization(workspace, tmp_path):
    path = workspace.path / "data/normalization.json"
    path.rename(tmp_path / "aside")
    try:
        for stage in ("train", "evaluate"):
            result = workspace.stage(stage, check=False)
            assert result.returncode == 1
            assert re.fullmatch(rf"{stage}: data/normalization.json is missing: run `dvc repro.*`\n", result.stdout)
    finally:
        (tmp_path / "aside").rename(path)


def test_too_many_downs_are_refused_before_training(restored):
    restored.edit_params(generator__num_downs="5")
    result = restored.stage("train", check=False)
    assert result.returncode == 1
    assert result.stdout.startswith(
        "train: train.generator.num_downs is 5, but images of 32 px cannot be halved that often: at most 4"
    )
    assert (restored.path / "models/generator.safetensors").exists()


def test_the_data_stages_of_the_sample_have_the_committed_hashes(tmp_path):
    clone = make_workspace(tmp_path)
    committed = lock(clone)
    clone.dvc("repro", "split", "normalize")
    rebuilt = lock(clone)
    for stage in DATA_STAGES:
        assert rebuilt[stage] == committed[stage], stage
    assert clone.git("status", "--porcelain") == ""


def md5_of(code: Path) -> str:
    """The hash that DVC gives a file, or a folder: then that of the list of its files, without what it ignores."""
    if code.is_file():
        return hashlib.md5(code.read_bytes()).hexdigest()
    files = [path for path in code.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    entries = sorted((path.relative_to(code).parts, md5_of(path)) for path in files)
    listed = [{"md5": md5, "relpath": "/".join(parts)} for parts, md5 in entries]
    return f"{hashlib.md5(json.dumps(listed).encode()).hexdigest()}.dir"


def test_the_committed_lock_is_of_this_code_and_these_params():
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    stages = YAML(typ="safe").load(ROOT / "dvc.lock")["stages"]
    outs = {out["path"] for stage in stages.values() for out in stage["outs"]}
    for name, stage in stages.items():
        code = [dep for dep in stage["deps"] if dep["path"] not in outs]
        assert len(code) > 2
        for dep in code:
            assert md5_of(ROOT / dep["path"]) == dep["md5"], (name, dep["path"])
        for section, value in stage.get("params", {}).get("params.yaml", {}).items():
            current = params
            for key in section.split("."):
                current = current[key]
            assert current == value, (name, section)
