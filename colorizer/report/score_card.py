"""The scores of metrics.json as plain text, and the cells of the score table that the report page shows too."""

import pandas as pd

from colorizer.report.hint_table import hint_rows, recoloring_lines

COLUMNS = (
    # key, heading, digits
    ("psnr", "PSNR dB ↑", 2),
    ("ssim", "SSIM ↑", 3),
    ("ciede2000", "CIEDE2000 ↓", 2),
    ("ab_error", "AB error ↓", 2),
    ("colourfulness", "colourful", 1),
    ("colourfulness_gap", "gap ↓", 3),
    ("histogram_distance", "AB hist. ↓", 3),
    ("combined_score", "combined ↓", 3),
    ("frechet_distance", "Fréchet ↓", 1),
)
ANOTHER_CPU = (  # docs/troubleshooting.md says more
    "`git status` shows dvc.lock and metrics.json as changed? On another kind of CPU this is right: leave them, or "
    "commit them."
)
METHODS = (("model", "this model"), ("mean_chroma", "mean chroma"), ("grey", "grey"), ("truth", "truth"))


def score_card(metrics: dict, origin: list[str], failures: pd.DataFrame) -> str:
    """Format the scores of metrics.json as a plain-text table, under sentences about the model's `origin`.

    Below it one line for each property of the images sums up `failures`, the table of `where_it_fails`. A model that
    takes hints has a table of what they bring. The last line is for whoever repeats the committed run on another
    machine.
    """
    table = [["", *(heading for _, heading, _ in COLUMNS)]]
    table += [[label, *score_cells(metrics[key])] for key, label in METHODS]
    lines = [*origin, "", *_aligned(table)]
    if thirds := _short_failures(failures):
        lines += ["", "CIEDE2000 on thirds of the test images (and on how many the AB error is below grey's):", *thirds]
    if hints := metrics.get("hints"):
        lines += ["", f"With true colours at random places of {hints['images']} test images:"]
        lines += [*_aligned(hint_rows(hints)), *recoloring_lines(hints)]
    return "\n".join([*lines, "", ANOTHER_CPU]) + "\n"


def score_cells(scores: dict[str, float]) -> list[str]:
    """Format the scores of one method, a cell for each of COLUMNS; empty where it has no such score."""
    return [f"{scores[key]:.{digits}f}" if key in scores else "" for key, _, digits in COLUMNS]


def _aligned(table: list[list[str]]) -> list[str]:
    """Lines of a table whose first column is flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for label, *cells in table:
        aligned = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        lines.append("  ".join([label.ljust(widths[0]), *aligned]).rstrip())
    return lines


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
