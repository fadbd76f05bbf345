"""The report page: the values for the template report.html.jinja beside this file."""

import base64
import json
from pathlib import Path

import pandas as pd

from colorizer.report.failures import FAILURE_COLUMNS, failure_cells
from colorizer.report.hint_table import hint_rows, recoloring_lines
from colorizer.report.score_card import COLUMNS, METHODS, score_cells
from colorizer.report.templates import render


def report_page(
    metrics: dict, origin: list[str], failures: pd.DataFrame, facts: dict, pictures: list[tuple[str, str, Path]]
) -> str:
    """Render the report as one HTML page with the pictures (title, caption, PNG file) inside it: readable offline.

    `metrics` is the content of metrics.json, `origin` are sentences about the model, `failures` is the table of
    `where_it_fails`, and `facts` are those that decided the training.
    """
    hints = metrics.get("hints")
    return render(
        "report.html.jinja",
        origin=origin,
        headings=[heading for _, heading, _ in COLUMNS],
        methods=[(key, [label, *score_cells(metrics[key])]) for key, label in METHODS],
        failure_headings=[heading for _, heading, _ in FAILURE_COLUMNS],
        failures=[(name, _failure_rows(str(name), rows)) for name, rows in failures.groupby("property", sort=False)],
        hints=hint_rows(hints) if hints else [],
        hint_images=hints["images"] if hints else 0,
        recoloring=" ".join(recoloring_lines(hints)) if hints else "",
        pictures=[(title, caption, base64.b64encode(path.read_bytes()).decode()) for title, caption, path in pictures],
        facts=json.dumps(facts, indent=1),
    )


def _failure_rows(name: str, rows: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """CSS class and cells of each third by the property; the row of all images has no name."""
    worst = rows["ciede2000"].max()
    return [("worst" if name and row["ciede2000"] == worst else "", failure_cells(row)) for _, row in rows.iterrows()]
