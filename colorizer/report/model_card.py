"""The model card: what a hub shows about a model. Its text is the template model_card.md.jinja beside this file."""

from dataclasses import dataclass

import pandas as pd
from huggingface_hub.repocard_data import EvalResult, ModelCardData

from colorizer.core.errors import printable
from colorizer.report.failures import FAILURE_COLUMNS, failure_cells
from colorizer.report.hint_table import hint_rows, recoloring_lines
from colorizer.report.score_card import COLUMNS, METHODS, score_cells
from colorizer.report.templates import render

FEW_IMAGES = 5_000  # a model trained on fewer knows little more than what they show
UNDECIDED_LICENSE = "unknown"  # the identifier of hubs; whoever publishes the weights decides


@dataclass(frozen=True, kw_only=True)
class Data:
    """The images that a model was trained and tested on.

    name: what to call them, without an absolute path. is_sample: whether they are the built-in sample. shape: (H, W)
    in pixels. train, validation, test: numbers of images. split: the settings that chose them, by name.
    """

    name: str
    is_sample: bool
    shape: tuple[int, int]
    train: int
    validation: int
    test: int
    split: dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The file of a model: its name and SHA-256, the number of weights in it, and the metadata that it holds."""

    file: str
    sha256: str
    count: int
    metadata: dict


def model_card(
    weights: Weights, data: Data, metrics: dict, origin: list[str], failures: pd.DataFrame, examples: str
) -> str:
    """Write the card as Markdown under a YAML header with the fields of Hugging Face's hub. Equal inputs, equal text.

    `metrics` is the content of metrics.json, `origin` are sentences about the model, `failures` is the table of
    `where_it_fails`, and `examples` is the name of a picture beside the card.
    """
    params = weights.metadata["training"]["params"]
    hints = metrics.get("hints")
    thirds = failures[failures["third"] != "all"]
    return render(
        "model_card.md.jinja",
        header=_header(data, metrics).to_yaml(),
        weights=weights,
        params=params,
        settings=data.split | params,
        data=data,
        few_images=FEW_IMAGES,
        metrics=metrics,
        origin=origin,
        examples=examples,
        headings=["", *(heading for _, heading, _ in COLUMNS)],
        methods=[[label, *score_cells(metrics[key])] for key, label in METHODS],
        failure_headings=["by", "third", "range", *(heading for _, heading, _ in FAILURE_COLUMNS)],
        failures=[[row["property"] or "all", *failure_cells(row)] for _, row in failures.iterrows()],
        hints=hint_rows(hints) if hints else [],
        hint_images=hints["images"] if hints else 0,
        recoloring=" ".join(recoloring_lines(hints)) if hints else "",
        worst=thirds.nlargest(1, "ciede2000").to_dict("records"),
        printable=printable,
    )


def _header(data: Data, metrics: dict) -> ModelCardData:
    names = {key: heading.rstrip(" ↑↓") for key, heading, _ in COLUMNS if key in metrics["model"]}
    results = [
        EvalResult(
            task_type="image-to-image",
            task_name="Image colorization",
            dataset_type="custom",
            dataset_name=printable(data.name),
            dataset_split="test",
            metric_type=key,
            metric_name=name,
            metric_value=metrics["model"][key],
        )
        for key, name in names.items()
    ]
    return ModelCardData(
        license=UNDECIDED_LICENSE,
        library_name="colorization-gan",
        pipeline_tag="image-to-image",
        tags=["image-colorization", "gan", "u-net", "pytorch"],
        metrics=list(names),
        model_name="Colorization GAN",
        eval_results=results,
    )
