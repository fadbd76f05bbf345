"""Finds where a model fails: on dark, bright, pale, colourful, smooth or textured images, by dull or garish colours."""

import numpy as np
import pandas as pd

FAILURE_COLUMNS = (
    # key, heading, format
    ("images", "images", "{:.0f}"),
    ("psnr", "PSNR dB ↑", "{:.2f}"),
    ("ab_error", "AB error ↓", "{:.2f}"),
    ("ciede2000", "CIEDE2000 ↓", "{:.2f}"),
    ("colourfulness", "colourful", "{:.1f}"),
    ("truth_colourfulness", "of truth", "{:.1f}"),
    ("beats_grey", "beats grey ↑", "{:.0%}"),
)
_THIRDS = {  # by property: what to call the images of its lowest, middle and highest third
    "lightness": ("dark", "medium", "bright"),
    "chroma": ("pale", "medium", "colourful"),
    "texture": ("smooth", "medium", "textured"),
}
_MEANS = {
    "psnr": "model_psnr",
    "ab_error": "model_ab_error",
    "ciede2000": "model_ciede2000",
    "colourfulness": "model_colourfulness",
    "truth_colourfulness": "truth_colourfulness",
}


def where_it_fails(scores: pd.DataFrame) -> pd.DataFrame:
    """Average the model's scores over all images, and over each third of them by lightness, chroma and texture.

    Takes the `scores` of an `Evaluation`. Columns: property and third, for example lightness and dark (the first row
    is `all`, without a property); from and to, the property's bounds in the third; images, their number; the means;
    beats_grey, the share of images whose AB error is smaller than that of leaving them grey. Images of equal property
    are divided in the order of the rows. Fewer than 3 images have no thirds.
    """
    rows = [{"property": "", "third": "all", **_means(scores)}]
    for name, third, part in _thirds(scores):
        values = part[f"truth_{name}"]
        rows.append({"property": name, "third": third, "from": values.min(), "to": values.max(), **_means(part)})
    return pd.DataFrame(rows, columns=["property", "third", "from", "to", "images", *_MEANS, "beats_grey"])


def failure_cells(row: pd.Series) -> list[str]:
    """Format a row of `where_it_fails`: the third, its range (empty for all images), and the FAILURE_COLUMNS."""
    bounds = f"{row['from']:.1f} to {row['to']:.1f}" if row["property"] else ""
    return [row["third"], bounds, *(form.format(row[key]) for key, _, form in FAILURE_COLUMNS)]


def worst_by_kind(scores: pd.DataFrame, count: int) -> dict[str, list[int]]:
    """Pick the `count` worst images of each kind of image and of error, none twice; fewer if there are no more.

    Kinds of images are the outer thirds by each property, from the largest CIEDE2000; kinds of errors are too dull and
    too colourful, from the largest difference of colourfulness.
    """
    excess = scores["model_colourfulness"] - scores["truth_colourfulness"]
    badness = {third: part["model_ciede2000"] for _, third, part in _thirds(scores) if third != "medium"}
    badness |= {"too dull": -excess[excess < 0], "too colourful": excess[excess > 0]}
    left, worst = scores["image"], {}
    for kind, values in badness.items():
        candidates = values[values.index.isin(left.index)].sort_values(ascending=False, kind="stable")
        chosen = candidates.index[:count]
        worst[kind] = left[chosen].tolist()
        left = left.drop(chosen)
    return worst


def _thirds(scores: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Property, name of the third, its rows; nothing when there are fewer than 3 images."""
    thirds = []
    for name, names in _THIRDS.items() if len(scores) >= 3 else ():
        order = np.argsort(scores[f"truth_{name}"].to_numpy(), kind="stable")
        thirds += [
            (name, third, scores.iloc[part]) for third, part in zip(names, np.array_split(order, 3), strict=True)
        ]
    return thirds


def _means(part: pd.DataFrame) -> dict[str, float]:
    means = {name: part[column].mean() for name, column in _MEANS.items()}
    beats_grey = (part["model_ab_error"] < part["truth_ab_deviation"]).mean()
    return {"images": len(part), **means, "beats_grey": beats_grey}
