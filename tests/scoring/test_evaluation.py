import numpy as np
import pytest

from colorizer.core.lab import codes_to_rgb
from colorizer.epochs.retention import chosen_epoch
from colorizer.scoring.evaluation import constant_chroma, evaluate_images
from colorizer.scoring.metrics import colorfulness


def test_evaluation_ranks_and_averages_over_images(photographs):
    test_images = np.array([3, 9, 4, 40, 41])

    done = []
    predictions = iter(
        photographs[test_images][..., 1:].astype(np.float32) + np.float32([0, 0, 20, 0, 0])[:, None, None, None]
    )
    evaluation = evaluate_images(
        photographs,
        test_images,
        {
            "model": lambda lightness: np.stack([next(predictions) for _ in lightness]),
            "mean_chroma": constant_chroma((140.0, 120.0)),
            "grey": constant_chroma((128.0, 128.0)),
        },
        batch_size=2,
        on_images=done.append,
    )
    assert done == [2, 2, 1]
    assert evaluation.scores["image"].tolist() == test_images.tolist()
    assert evaluation.ranked()[-1] == 4
    summary = evaluation.summary()
    assert summary["model"]["ab_error"] == pytest.approx(20 / 5)
    assert summary["grey"]["colourfulness"] == 0
    assert summary["grey"]["colourfulness_gap"] == 1
    truth = np.mean([colorfulness(codes_to_rgb(photographs[image])[None]) for image in test_images])
    assert summary["truth"]["colourfulness"] == pytest.approx(truth, abs=1e-4)
    chroma = photographs[test_images][..., 1:].astype(float) - 128
    tint = np.hypot(*chroma.mean(axis=(0, 1, 2))) / np.hypot(chroma[..., 0], chroma[..., 1]).mean()
    assert summary["truth"]["tint"] == pytest.approx(tint, abs=1e-4)
    assert [summary[method]["tint"] for method in ("mean_chroma", "grey")] == [1, 0]
    expected = np.abs(photographs[test_images][..., 1:] - np.array([140.0, 120.0])).mean()
    assert summary["mean_chroma"]["ab_error"] == pytest.approx(expected, abs=1e-4)
    assert all(counts.sum() == 5 * 32 * 32 for counts in evaluation.histograms.values())
    assert set(evaluation.histograms) == {"model", "mean_chroma", "grey", "truth"}
    assert summary["grey"]["combined_score"] == pytest.approx(1 + summary["grey"]["histogram_distance"] + 1, abs=1e-3)
    parts = summary["model"]
    expected = (
        parts["ab_error"] / summary["grey"]["ab_error"] + parts["histogram_distance"] + parts["colourfulness_gap"]
    )
    assert parts["combined_score"] == pytest.approx(expected, abs=1e-3)


def test_the_combined_score_chooses_neither_dull_nor_garish_nor_tinted_colours(photographs):
    truth = photographs[..., 1:].astype(np.float32) - 128
    elsewhere = np.roll(truth, 1, axis=0)
    epochs = {
        "dull": 0.4 * truth,
        "garish": elsewhere,  # the right colours in the wrong places
        "tinted": np.broadcast_to(
            2.36 * truth.mean(axis=(0, 1, 2)), truth.shape
        ),  # as colourful as the truth by a gain
        "good": np.concatenate([elsewhere[:, :, :18], 0.9 * truth[:, :, 18:]], axis=2),
    }
    history = []
    for epoch, chroma in enumerate(epochs.values(), start=1):
        evaluation = evaluate_images(
            photographs,
            np.arange(len(photographs)),
            {"model": lambda lightness, chroma=chroma: chroma + 128},
            batch_size=len(photographs),
            on_images=lambda count: None,
        )
        scores = evaluation.summary()["model"]
        history.append({"epoch": epoch} | {f"validation_{name}": score for name, score in scores.items()})
    chosen = {
        criterion: list(epochs)[chosen_epoch(history, criterion) - 1]
        for criterion in ("ab_error", "histogram_distance", "colourfulness_gap", "combined_score")
    }
    assert list(chosen.values()) == ["dull", "garish", "tinted", "good"]


def test_scores_depend_neither_on_batches_nor_on_cores(photographs, monkeypatch):
    images = np.arange(len(photographs))
    methods = {"model": lambda lightness: np.stack([lightness * np.float32(0.9), 255 - lightness], axis=-1)}
    evaluations = []
    for batch_size, cores, pixels in ((64, 1, 2**15), (64, 3, 2**12), (7, 2, 2**13), (1, 2, 1)):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        monkeypatch.setattr("colorizer.scoring.evaluation._TASK_PIXELS", pixels)
        evaluations.append(
            evaluate_images(photographs, images, methods, batch_size=batch_size, on_images=lambda count: None)
        )
    for other in evaluations[1:]:
        assert other.scores.equals(evaluations[0].scores)
        assert all((other.histograms[name] == evaluations[0].histograms[name]).all() for name in other.histograms)
        assert all((other.colors[name] == evaluations[0].colors[name]).all() for name in other.colors)


def test_an_error_in_a_method_ends_the_evaluation(photographs):
    def fail(lightness):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_images(photographs, np.arange(4), {"model": fail}, batch_size=2, on_images=lambda count: None)
