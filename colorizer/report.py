"""The score card and the report page."""

import base64
import json
from html import escape
from pathlib import Path

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
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; } th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; } tr.model { font-weight: 600; background: #f4f7fb; }
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
{figures}<h2>What the columns mean</h2>
<dl>{meanings}</dl>
<details><summary>Everything that decided this training</summary><pre>{facts}</pre></details>
</html>
"""


def score_card(metrics: dict, origin: list[str]) -> str:
    """The scores of metrics.json as a table of plain text, under sentences about the model's `origin`."""
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
    return "\n".join(lines) + "\n"


def report_page(metrics: dict, origin: list[str], facts: dict, pictures: list[tuple[str, str, Path]]) -> str:
    """One HTML page with the scores and the pictures (title, caption, PNG file) inside it: readable offline."""
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
        figures=figures,
        meanings=meanings,
        facts=escape(json.dumps(facts, indent=1)),
    )


def _row(key: str, cells: list[str]) -> str:
    return f'<tr class="{key}">{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>\n'


def _cells(scores: dict[str, float]) -> list[str]:
    return [f"{scores[key]:.{digits}f}" if key in scores else "" for key, _, digits in _COLUMNS]


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")
