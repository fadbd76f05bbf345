"""The candidates of a sweep: their settings, their workspace copies, their scores and the ranking."""

import csv
import hashlib
import io
import itertools
import json
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from colorizer.core.errors import UserError
from colorizer.core.files import write_text
from colorizer.epochs.retention import chosen_epoch
from colorizer.models.registry import pin_start_model
from pipeline.sweeps.ranges import Range
from settings.params import Params
from settings.params_file import check_changes, flat, read_params, write_params
from settings.paths import HISTORY

# These decide which images are compared, how, or what a person wants: not what is tried.
_FIXED = ("train.ask", "train.monitor", "train.decisions")
START_FROM = "train.start_from"
_VALIDATION = "validation_"  # begins the names of scores in a history


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
    """Validation scores of the epoch that became the model, or after which the training was pruned.

    The smaller `rank`, the better.
    """

    criterion: str
    epoch: int
    validation: Mapping[str, float]
    pruned: bool = False

    @property
    def rank(self) -> float:
        score = self.validation[self.criterion]
        return score if math.isfinite(score) else math.inf

    @property
    def summary(self) -> str:
        lead = "pruned: " if self.pruned else ""
        return f"{lead}{self.criterion} {self.validation[self.criterion]:.4f} after epoch {self.epoch}"


class PrunedError(Exception):
    """Raised after an epoch whose score says that the training need not go on."""

    def __init__(self, scores: Scores) -> None:
        super().__init__(scores.summary)
        self.scores = scores


def read_candidates(
    folder: Path,
    parent: Path,
    grid: Mapping[str, Sequence[Any]],
    listed: Sequence[Mapping[str, Any]],
    contents: Mapping[str, str],
) -> list[Candidate]:
    """List the combinations of the grid's values and the listed settings; write and check the params.yaml of each.

    Raises UserError when something cannot be tried or compared.
    """
    combined = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())] if grid else []
    base, pin, params_file = read_base(folder), pin_start_models(folder), folder / "params.yaml"
    chosen = []
    for overrides in [*combined, *listed]:
        changed, start_from = flat(overrides), None
        if START_FROM in changed:
            check_changes(changed, params_file, base=params_file)  # of what is no name, no file is looked for
            changed[START_FROM] = pin(changed[START_FROM])
        else:
            start_from = pin(base.train.start_from)
        chosen.append(make_candidate(folder, parent, changed, contents, start_from))
    return list(dict.fromkeys(chosen))


def check_values(
    folder: Path, values: Mapping[str, list[Any] | Range], listed: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Raise UserError when the ends of lists and ranges, or listed settings, cannot be tried; leave no file.

    Ends show a mistake in a key, and a number that no training takes, without a look at every combination.
    """
    ends = {
        key: (given.low, given.high) if isinstance(given, Range) else (given[0], given[-1])
        for key, given in values.items()
    }
    tried = [{key: pair[end] for key, pair in ends.items()} for end in (0, 1)] if ends else []
    with TemporaryDirectory() as temporary:
        read_candidates(folder, Path(temporary), {}, [*tried, *listed], {})


def read_base(folder: Path) -> Params:
    """Read the params that the candidates change. Raises UserError when their trainings could not be compared."""
    params = read_params(folder / "params.yaml")
    if not params.split.validation:
        raise UserError("a sweep ranks by validation scores: set split.validation in params.yaml")
    if params.train.decisions:
        raise UserError("train.decisions in params.yaml would decide for every candidate: set them to [] first")
    return params


def pin_start_models(folder: Path) -> Callable[[str | None], str | None]:
    """Return a function that finds the version which a registered name means: `generator#prod` -> `generator@v1.0.0`.

    It asks once for each name, so all trainings of a sweep begin from the same version. Paths and None stay as they
    are. Raises UserError when there is no such version or file.
    """
    pin = cache(partial(pin_start_model, folder))
    return lambda name: None if name is None else pin(name)


def make_candidate(
    folder: Path, parent: Path, overrides: Mapping[str, Any], contents: Mapping[str, str], start_from: str | None
) -> Candidate:
    """Write and check the params.yaml of a candidate: that of `folder`, with this model to begin from, and overrides.

    Its workspace is a folder of `parent`, named by the hash of its settings and of the raw arrays' `contents`. Raises
    UserError, and leaves no new folder, when the settings cannot be tried or are not valid.
    """
    changed = dict(sorted(flat(overrides).items()))
    for key in changed:
        if not key.startswith("train.") or key in _FIXED:
            raise UserError(f"{key} cannot be tried: a sweep compares trainings by the same images and criterion")
    try:
        candidate = name_candidate(parent, json.dumps(changed), contents)
    except TypeError:  # YAML has dates
        raise UserError(f"{changed}: a param is a number, a text, true, false, null, or a list of these") from None
    workspace = candidate.workspace
    params_file = workspace / "params.yaml"
    try:
        write_params({START_FROM: start_from, **changed}, params_file, base=folder / "params.yaml")
    except UserError as error:
        with suppress(OSError):  # it holds an earlier sweep
            workspace.rmdir()
        raise UserError(f"{candidate.settings}: {str(error).removeprefix(f'{params_file}: ')}") from None
    return candidate


def name_candidate(parent: Path, settings: str, contents: Mapping[str, str]) -> Candidate:
    """The candidate of these settings (JSON), whether its workspace is there or not."""
    digest = hashlib.sha256(json.dumps([settings, contents]).encode()).hexdigest()
    return Candidate(settings=settings, workspace=parent / digest[:12])


def read_scores(candidate: Candidate) -> Scores:
    """Read the validation scores of a candidate whose training is done."""
    criterion, history = read_params(candidate.workspace / "params.yaml").train.monitor, read_history(candidate)
    return scores_after(history, chosen_epoch(history, criterion), criterion)


def read_history(candidate: Candidate) -> list[dict[str, Any]]:
    """Read the validation scores of every epoch of a training that is done."""
    with (candidate.workspace / HISTORY).open(encoding="utf-8", newline="") as file:
        return [
            {"epoch": int(row["epoch"])}
            | {name: float(value or "nan") for name, value in row.items() if name.startswith(_VALIDATION)}
            for row in csv.DictReader(file)
        ]


def scores_after(history: Sequence[Mapping[str, Any]], epoch: int, criterion: str, *, pruned: bool = False) -> Scores:
    """The scores of one epoch of a history, which has a row per epoch."""
    row = history[epoch - 1]
    validation = {name.removeprefix(_VALIDATION): row[name] for name in row if name.startswith(_VALIDATION)}
    return Scores(criterion=criterion, epoch=epoch, validation=validation, pruned=pruned)


def write_ranking(path: Path, chosen: Sequence[Candidate], scores: Mapping[Candidate, Scores]) -> list[dict[str, Any]]:
    """Write the candidates as CSV, the best first, then pruned ones, and failed ones last; returns the rows.

    The columns have the names of `dvc exp show`. `Experiment` is the name of the folder of the workspace copy.
    """
    ranked = sorted(scores, key=lambda candidate: (scores[candidate].pruned, scores[candidate].rank))
    keys = dict.fromkeys(key for candidate in chosen for key in candidate.overrides)
    rows = []
    for rank, candidate in enumerate([*ranked, *(other for other in chosen if other not in scores)], start=1):
        found = scores.get(candidate)
        row: dict[str, Any] = {"rank": "failed" if found is None else "pruned" if found.pruned else rank}
        row |= {"Experiment": candidate.workspace.name} | {key: candidate.overrides.get(key, "") for key in keys}
        if found:
            row |= {"epoch": found.epoch} | {f"validation.{name}": value for name, value in found.validation.items()}
        rows.append(row)
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
    return rows
