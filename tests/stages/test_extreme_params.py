"""Params that nobody needs: each gives a result or one line."""

import pytest

from tests.support.workspace import Workspace

LARGEST_SEED = str(2**63 - 1)


@pytest.fixture(scope="module")
def workspace(miniature, tmp_path_factory) -> Workspace:
    return miniature.copy(tmp_path_factory.mktemp("clone"))


@pytest.mark.parametrize(
    ("stage", "edits", "told"),
    [
        ("sample", {"sample__seed": LARGEST_SEED}, "16 training and 8 test crops"),
        ("sample", {"sample__train": "999999999999", "split__train": "999999999999"}, "lower sample.train"),
        ("sample", {"sample__min_chroma": "180"}, "gives 0 crops but 2 are asked of it"),
        ("locate", {"root": "/dev/null"}, "/dev/null cannot be read (it is neither a file nor a folder)"),
        ("locate", {"root": "x" * 300}, "is missing: put the greyscale images there"),
        ("load", {"max_outside_srgb": "0"}, "64 images"),
        ("split", {"split__train": "9" * 30}, "but there are 64: lower them"),
        ("split", {"validation": "47"}, "1 training, 47 validation and 16 test images"),
        ("split", {"split__min_chroma": "180"}, "there are 0 (64 of 64 were dropped)"),
        ("split", {"split__seed": LARGEST_SEED, "shuffle": "true"}, "40 training"),
        ("train", {"train__learning_rate": "1e308"}, "epoch 1: training diverged"),
        ("train", {"l1_weight": "1e308"}, "epoch 1: training diverged"),
        ("train", {"num_processes": "9" * 20}, "but the last batch of an epoch holds 1 images only"),
        ("train", {"discriminator__num_downs": "1000"}, "cannot be halved that often"),
        ("train", {"train__batch_size": "9" * 20, "train__sheet_images": "9" * 20}, "epoch 2/2: 80/80 img"),
        (
            "train",
            {"train__seed": LARGEST_SEED, "betas": "[0, 0]", "ema_decay": "0.9999999999999999"},
            "epoch 2/2: 80/80 img",
        ),
        ("evaluate", {"evaluate__batch_size": "9" * 20, "evaluate__sheet_images": "9" * 20}, "evaluate: PSNR"),
        ("evaluate", {"evaluate__batch_size": "1", "evaluate__sheet_images": "1"}, "evaluate: PSNR"),
    ],
)
def test_extremes_give_a_result_or_one_line(workspace, stage, edits, told):
    params = workspace.path / "params.yaml"
    before = params.read_bytes()
    workspace.edit_params(**edits)
    result = workspace.stage(stage, check=False)
    params.write_bytes(before)
    assert "Traceback" not in result.stdout
    assert result.returncode in (0, 1)
    assert told in (result.stdout if result.returncode == 0 else result.stdout.splitlines()[-1])
