"""The candidates of a sweep: their settings, their workspace copies, their scores and the ranking."""

import csv
import hashlib
import io
import itertools
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colorizer.core.errors import UserError
from colorizer.core.files import write_text
from colorizer.epochs.retention import chosen_epoch
from settings.params_file import flat, read_params, write_params
from settings.paths import HISTORY

# These decide which images are compared, how, or what a person wants: not what is tried.
_FIXED = ("train.ask", "train.monitor", "train.decisions")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Settings to try, as JSON of dotted keys, and the folder of the workspace copy, named by their hash."""

    settings: str
    workspace: Path

    @property
    def overrides(self) -> dict[str, Any]:
        return json.loads(self.settings)

    @property
    def name(self) -> str:
        shown = [f"{key.removeprefix('train.')}={json.dumps(value)}" for key, value in self.overrides.items()]
        return " ".join(shown) or "params as they are"

    @property
    def options(self) -> str:
        """The options of `python -m pipeline rebuild` that set these params."""
        return shlex.join(
            word for key, value in self.overrides.items() for word in ("--set", f"{key}={json.dumps(value)}")
        )


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Validation scores of the epoch that became the model. The smaller `rank`, the better."""

    criterion: str
    epoch: int
    validation: Mapping[str, float]

    @property
    def rank(self) -> float:
        score = self.validation[self.criterion]
        return score if math.isfinite(score) else math.inf

    @property
    def summary(self) -> str:
        return f"{self.criterion} {self.validation[self.criterion]:.4f} after epoch {self.epoch}"


def read_candidates(
    folder: Path,
    parent: Path,
    grid: Mapping[str, Sequence[Any]],
    listed: Sequence[Mapping[str, Any]],
    contents: Mapping[str, str],
) -> list[Candidate]:
    """List the combinations of the grid's values and the listed settings; write and check the params.yaml of each.

    The copies are folders of `parent`, each named by the hash of its settings and of the raw arrays' `contents`.

    Raises UserError when there is nothing to try, or when something cannot be tried or compared.
    """
    combined = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())] if grid else []
    wanted = [dict(sorted(flat(overrides).items())) for overrides in [*combined, *listed]]
    if not wanted:
        raise UserError("nothing to try: give candidates, or a grid with a value for each of its keys")
    params = read_params(folder / "params.yaml")
    if not params.split.validation:
        raise UserError("a sweep ranks by validation scores: set split.validation in params.yaml")
    if params.train.decisions:
        raise UserError("train.decisions in params.yaml would decide for every candidate: set them to [] first")
    chosen: dict[str, Candidate] = {}
    for overrides in wanted:
        for key in overrides:
            if not key.startswith("train.") or key in _FIXED:
                raise UserError(f"{key} cannot be tried: a sweep compares trainings by the same images and criterion")
        settings = json.dumps(overrides)
        workspace = parent / hashlib.sha256(json.dumps([settings, contents]).encode()).hexdigest()[:12]
        params_file = workspace / "params.yaml"
        try:
            write_params(overrides, params_file, base=folder / "params.yaml")
        except UserError as error:
            with suppress(OSError):  # it holds an earlier sweep
                workspace.rmdir()
            raise UserError(f"{settings}: {str(error).removeprefix(f'{params_file}: ')}") from None
        chosen[settings] = Candidate(settings=settings, workspace=workspace)
    return list(chosen.values())


def read_scores(candidate: Candidate) -> Scores:
    """Read the validation scores of a candidate whose training is done."""
    options = read_params(candidate.workspace / "params.yaml").train
    lead = "validation_"
    with (candidate.workspace / HISTORY).open(encoding="utf-8", newline="") as file:
        history: list[dict] = [
            {"epoch": int(row["epoch"])}
            | {name: float(value or "nan") for name, value in row.items() if name.startswith(lead)}
            for row in csv.DictReader(file)
        ]
    epoch = chosen_epoch(history, options.monitor)
    validation = {name.removeprefix(lead): value for name, value in history[epoch - 1].items() if name.startswith(lead)}
    return Scores(criterion=options.monitor, epoch=epoch, validation=validation)


def write_ranking(path: Path, chosen: Sequence[Candidate], scores: Mapping[Candidate, Scores]) -> list[dict[str, Any]]:
    """Write the candidates as CSV, the best first and failed ones last; returns the rows."""
    ranked = sorted(scores, key=lambda candidate: scores[candidate].rank)
    keys = dict.fromkeys(key for candidate in chosen for key in candidate.overrides)
    rows = []
    for rank, candidate in enumerate([*ranked, *(other for other in chosen if other not in scores)], start=1):
        row: dict[str, Any] = {"rank": rank if candidate in scores else "failed"}
        row |= {key: candidate.overrides.get(key, "") for key in keys}
        if candidate in scores:
            row |= {"epoch": scores[candidate].epoch, **scores[candidate].validation}
        rows.append(row)
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
    return rows
