"""The score card and the report page."""

import base64
import json
from html import escape
from pathlib import Path

import pandas as pd

_COLUMNS = (
    # key, heading, digits
    ("psnr", "PSNR dB ↑", 2),
    ("ssim", "SSIM ↑", 3),
    ("ciede2000", "CIEDE2000 ↓", 2),
    ("ab_error", "AB error ↓", 2),
    ("colourfulness", "colourful", 1),
    ("colourfulness_gap", "gap ↓", 3),
    ("histogram_distance", "AB hist. ↓", 3),
    ("balance", "balance ↓", 3),
)
_METHODS = (("model", "this model"), ("mean_chroma", "mean chroma"), ("grey", "grey"), ("truth", "truth"))
_MEANING = (
    ("PSNR", "of 8-bit sRGB, mean over images; rewards dull colours"),
    ("SSIM", "similarity of structure, 1 equal; high even for grey, since every method shares the true lightness"),
    ("CIEDE2000", "colour difference as the eye sees it; 2 is just noticeable"),
    (
        "AB error",
        "mean absolute difference of A (green to red) and B (blue to yellow), stored as 0 to 255, 128 neutral",
    ),
    (
        "colourful",
        "how colourful an image looks (Hasler and Süsstrunk), 0 grey; the gap is the relative distance to the truth",
    ),
    ("AB hist.", "total variation distance between the pooled histograms of colours, 0 equal, 1 disjoint"),
    (
        "balance",
        "AB error relative to grey's + AB hist. + gap: right and colourful; chooses the epoch on validation images",
    ),
)
_PROPERTIES = {
    "lightness": "by lightness: mean L*",
    "chroma": "by chroma: mean distance from grey in a*, b*",
    "texture": "by texture: mean step of L* between neighbouring pixels",
}
_FAILURE_COLUMNS = (
    ("images", "images", "{:.0f}"),
    ("psnr", "PSNR dB ↑", "{:.2f}"),
    ("ab_error", "AB error ↓", "{:.2f}"),
    ("ciede2000", "CIEDE2000 ↓", "{:.2f}"),
    ("colourfulness", "colourful", "{:.1f}"),
    ("truth_colourfulness", "of truth", "{:.1f}"),
    ("beats_grey", "beats grey ↑", "{:.0%}"),
)
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; } th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; } tr.model { font-weight: 600; background: #f4f7fb; }
th[colspan] { padding-top: 1rem; font-weight: 400; color: #666; } tr.worst { background: #fdf1ec; }
img { max-width: 100%; } figure { margin: 1rem 0; } figcaption { color: #666; } dt { font-weight: 600; }
"""


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Colorization report</title>
<style>{style}</style>
<h1>Colorization report</h1>
{origin}<p>Arrows point to the better side. One baseline leaves the picture grey, one gives every pixel the training
images' mean colour: both keep the true lightness, and so score well where colours are dull. A good model beats both on
the errors and comes near the truth in colour.</p>
<table>
{table}</table>
<h2>Where it fails</h2>
<p>Means over thirds of the test images by what the true image is like. The third with the largest CIEDE2000 is tinted.
<i>beats grey</i>: the share of images whose AB error is smaller than that of leaving them grey.</p>
<table>
{failures}</table>
{figures}<h2>What the columns mean</h2>
<dl>{meanings}</dl>
<details><summary>Everything that decided this training</summary><pre>{facts}</pre></details>
</html>
"""


def score_card(metrics: dict, origin: list[str], failures: pd.DataFrame) -> str:
    """The scores of metrics.json as a table of plain text, under sentences about the model's `origin`.

    `failures`, of `where_it_fails`, follow in short.
    """
    headings = ["", *(heading for _, heading, _ in _COLUMNS)]
    table = [headings, *([label, *_cells(metrics[key])] for key, label in _METHODS)]
    widths = [max(len(row[column]) for row in table) for column in range(len(headings))]
    lines = [*origin, ""]
    for row in table:
        lines.append(
            "  ".join(
                [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
            ).rstrip()
        )
    if thirds := _short_failures(failures):
        lines += ["", "CIEDE2000 on thirds of the test images (and on how many the AB error is below grey's):", *thirds]
    return "\n".join(lines) + "\n"


def _short_failures(failures: pd.DataFrame) -> list[str]:
    """A line for each property."""
    lines = []
    for name, rows in failures[failures["third"] != "all"].groupby("property", sort=False):
        cells = (
            f"{third:>10} {error:5.2f} ({share:.0%})"
            for third, error, share in zip(rows["third"], rows["ciede2000"], rows["beats_grey"], strict=True)
        )
        lines.append(f"{name:<11}" + "".join(f"{cell:<24}" for cell in cells).rstrip())
    return lines


def report_page(
    metrics: dict, origin: list[str], failures: pd.DataFrame, facts: dict, pictures: list[tuple[str, str, Path]]
) -> str:
    """One HTML page with the scores and the pictures (title, caption, PNG file) inside it: readable offline.

    `failures` are those of `where_it_fails`.
    """
    head = "".join(f"<th>{escape(heading)}</th>" for _, heading, _ in _COLUMNS)
    rows = "".join(_row(key, [label, *_cells(metrics[key])]) for key, label in _METHODS)
    figures = "".join(
        f'<h2>{escape(title)}</h2>\n<figure><img alt="{escape(title)}" src="data:image/png;base64,{_base64(path)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>\n"
        for title, caption, path in pictures
    )
    meanings = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>\n" for term, text in _MEANING)
    return _PAGE.format(
        style=_STYLE,
        origin="".join(f"<p>{escape(sentence)}</p>\n" for sentence in origin),
        table=f"<tr><th></th>{head}</tr>\n{rows}",
        failures=_failures_table(failures),
        figures=figures,
        meanings=meanings,
        facts=escape(json.dumps(facts, indent=1)),
    )


def _failures_table(failures: pd.DataFrame) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for _, heading, _ in _FAILURE_COLUMNS)
    table = f"<tr><th></th><th>range</th>{head}</tr>\n"
    for name, rows in failures.groupby("property", sort=False):
        if name:
            table += f'<tr><th colspan="{len(_FAILURE_COLUMNS) + 2}">{escape(_PROPERTIES[str(name)])}</th></tr>\n'
        for _, row in rows.iterrows():
            bounds = f"{row['from']:.1f} to {row['to']:.1f}" if name else ""
            cells = [row["third"], bounds, *(form.format(row[key]) for key, _, form in _FAILURE_COLUMNS)]
            is_worst = name and row["ciede2000"] == rows["ciede2000"].max()
            table += _row("worst" if is_worst else "", cells)
    return table


def _row(key: str, cells: list[str]) -> str:
    return f'<tr class="{key}">{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>\n'


def _cells(scores: dict[str, float]) -> list[str]:
    return [f"{scores[key]:.{digits}f}" if key in scores else "" for key, _, digits in _COLUMNS]


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")
