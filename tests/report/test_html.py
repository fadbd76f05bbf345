import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from colorizer.core.files import save_image
from colorizer.core.lab import codes_to_rgb
from colorizer.report.failures import where_it_fails
from colorizer.report.figures import plot_hints, plot_histograms, plot_history, save_figure
from colorizer.report.html import report_page
from colorizer.report.score_card import ANOTHER_CPU, score_card
from colorizer.scoring.sheets import comparison_sheet
from tests.report.test_failures import made_scores

SCORES = {
    "psnr": 24.567,
    "ssim": 0.9,
    "ciede2000": 8,
    "ab_error": 9.87,
    "colourfulness": 30,
    "colourfulness_gap": 0.2,
    "histogram_distance": 0.3,
    "combined_score": 0.9,
}
METRICS = {
    "test_images": 500,
    "epoch": 12,
    "epochs": 14,
    "model": SCORES,
    "mean_chroma": SCORES | {"psnr": 21.0},
    "grey": SCORES | {"psnr": 20.0},
    "truth": {"colourfulness": 40.5},
}
FAILURES = where_it_fails(made_scores(9))
HINTS = {
    "images": 7,
    "0": {"psnr": 24.567, "ab_error": 9.87, "levin_psnr": 20.0, "levin_ab_error": 14.0},
    "100": {"psnr": 30.123, "ab_error": 3.0, "levin_psnr": 31.0, "levin_ab_error": 12.345},
    "recoloured": {"distance": 3.21, "distance_before": 36.6, "far_change": 0.127},
}


def test_score_card_lines_up():
    lines = score_card(METRICS, ["First sentence.", "Second."], FAILURES).splitlines()
    assert lines[:3] == ["First sentence.", "Second.", ""]
    assert [line.split()[0] for line in lines[4:8]] == ["this", "mean", "grey", "truth"]
    assert {line.index("24.57") + 5 for line in lines if "24.57" in line} == {
        lines[3].index("PSNR dB ↑") + len("PSNR dB ↑")
    }
    assert [line.split()[:4] for line in lines[10:-2]] == [
        ["lightness", "dark", "9.00", "(0%)"],
        ["chroma", "pale", "9.00", "(0%)"],
        ["texture", "smooth", "3.00", "(100%)"],
    ]
    assert lines[-1] == ANOTHER_CPU


def test_score_card_of_a_model_that_takes_hints():
    lines = score_card(METRICS | {"hints": HINTS}, [], FAILURES).splitlines()
    start = lines.index("With true colours at random places of 7 test images:")
    assert [line.split() for line in lines[start + 1 : start + 6]] == [
        ["true", "hints", "0", "100"],
        ["PSNR", "dB", "↑", "24.57", "30.12"],
        ["Levin", "et", "al.", "20.00", "31.00"],
        ["AB", "error", "↓", "9.87", "3.00"],
        ["Levin", "et", "al.", "14.00", "12.35"],
    ]
    assert lines[start + 6].endswith("is 3.2 from the hint's in a*, b*, and 36.6 without it;")
    assert lines[start + 7] == "far away the colour moves by 13% of what it moves in the object."
    unmoved = HINTS | {"recoloured": {"distance": 3.21, "distance_before": 3.21}}
    assert "far away" not in score_card(METRICS | {"hints": unmoved}, [], FAILURES)


def test_report_of_a_model_that_takes_hints():
    page = report_page(METRICS | {"hints": HINTS}, [], FAILURES, {}, [])
    assert "<td>Levin et al.</td><td>14.00</td><td>12.35</td>" in page
    assert "moves by 13%" in page
    assert "hints" not in report_page(METRICS, [], FAILURES, {}, [])


def test_one_test_image_is_reported_without_thirds():
    failures = where_it_fails(made_scores(1))
    assert score_card(METRICS, ["First."], failures).splitlines()[-3].startswith("truth")
    assert "by lightness" not in report_page(METRICS, [], failures, {}, [])


def test_report_needs_no_other_file(tmp_path):
    picture = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(picture)
    worst = ("Worst <images>", "The largest", picture)
    page = report_page(METRICS, ["By <whom>."], FAILURES, {"code": {"a.py": "1<2"}}, [worst])
    assert "Worst &lt;images&gt;" in page
    assert "<p>By &lt;whom&gt;.</p>" in page
    assert "a.py&#34;: &#34;1&lt;2" in page
    assert "24.57" in page
    assert re.findall(r'<tr class="worst"><td>(\w+)</td><td>([^<]*)</td>', page) == [
        ("dark", "82.0 to 84.0"),
        ("pale", "32.0 to 34.0"),
        ("textured", "3.0 to 4.0"),
    ]
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 1
    assert sources[0].startswith("data:image/png;base64,")
    assert "http" not in page


def test_comparison_sheet_shows_grey_generated_truth(photographs):
    chroma = np.full((2, 32, 32, 2), 150, np.float32)
    sheet = np.asarray(comparison_sheet(photographs[:2], chroma, captions=["a", "b"]))
    tile = 128
    middle = [sheet[18 + tile // 2, 6 + position * tile + tile // 2].astype(int) for position in range(3)]
    assert np.ptp(middle[0]) <= 2  # grey
    truth = codes_to_rgb(photographs[0])[14:18, 14:18].reshape(-1, 3).astype(int)
    assert (middle[2] >= truth.min(axis=0) - 12).all()
    assert (middle[2] <= truth.max(axis=0) + 12).all()
    assert middle[1][0] > middle[1][1]  # a* and b* above neutral: red over green


@pytest.mark.parametrize("l1_pretrain_epochs", [0, 1, 3])
def test_figures_are_the_same_bytes_every_time(tmp_path, photographs, l1_pretrain_epochs):
    history = pd.DataFrame(
        {"epoch": [1, 2, 3], "l1_loss": [3.0, 2.0, 1.0], "discriminator_loss": 1.4, "adversarial_loss": 0.7}
    )
    if l1_pretrain_epochs:
        history["validation_combined_score"] = [1.2, 1.0, 1.1]
    history.loc[: l1_pretrain_epochs - 1, ["discriminator_loss", "adversarial_loss"]] = np.nan
    for folder in ("a", "b"):
        save_figure(plot_history(history), tmp_path / folder / "curves.png")
        curve = {"count": [0, 0, 5, 5], "method": ["model", "levin"] * 2, "psnr": [24, 20, 26, 28], "ab_error": 9}
        save_figure(plot_hints(pd.DataFrame(curve)), tmp_path / folder / "hints.png")
        save_figure(
            plot_histograms({"truth": np.eye(22), "model": np.ones((22, 22))}), tmp_path / folder / "histograms.png"
        )
        save_image(
            comparison_sheet(photographs[:5], photographs[:5, ..., 1:].astype(np.float32)),
            tmp_path / folder / "sheet.png",
        )
    for name in ("curves.png", "hints.png", "histograms.png", "sheet.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
