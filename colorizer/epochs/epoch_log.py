"""The log of trainings: losses and scores after each epoch, with clock times, rates and hosts.

It is git-ignored and never a pipeline output. Nothing reads it but people.
"""

import csv
import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import filelock

from colorizer.core.errors import UserError
from colorizer.core.files import write_rows
from colorizer.epochs.event_file import append_epoch, write_event_file
from colorizer.epochs.scratch import Scratch
from colorizer.training.gan import LOSSES

logger = logging.getLogger(__name__)

_FIRST_COLUMNS = ("finished", "training", "epoch", "learning_rate", *LOSSES)
_FAILURES = (OSError, UserError, ImportError, ValueError, csv.Error)  # no TensorBoard; a table that is none
_SECONDS_TO_WAIT = 5  # for another training that writes to the same table


class EpochLog:
    """Logs the epochs of one training: as rows of the table train.csv, and as curves and pictures for TensorBoard.

    The event file holds the epochs of the history, neither more nor less. A training that is resumed writes it anew, as
    the process before may have been killed anywhere. `folder` is that of the logs, `params` are shown with the curves.
    If a log cannot be written, training goes on after a warning, the first time.
    """

    def __init__(self, folder: Path, scratch: Scratch, params: Mapping[str, object]) -> None:
        self._folder, self._scratch, self._params = folder, scratch, params
        self._name = scratch.folder.name.removeprefix("train-")
        self._table, self._curves = folder / "train.csv", folder / "tensorboard" / self._name
        self._event_file: Path | None = None
        self._has_failed = False

    def resume(self, history: Sequence[dict]) -> None:
        """Show the epochs that are finished already, if there are any."""
        if history:
            self._try(lambda: self._write_curves(history))

    def add(self, history: Sequence[dict], figures: Mapping[str, object]) -> None:
        """Log the last epoch of the history; `figures` are its clock times, rates and environment."""
        self._try(lambda: self._write_curves(history))
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        row: dict[str, object] = dict.fromkeys(_FIRST_COLUMNS, "")  # of L1 alone, an epoch has fewer losses
        row |= {"finished": now, "training": self._name, **history[-1], **figures, "host": platform.node()}
        del row["warnings"]  # which are printed
        self._try(lambda: append_row(self._table, row))

    def _write_curves(self, history: Sequence[dict]) -> None:
        """Add the last epoch to the event file; write it whole at first, after a failure, and if it was deleted.

        It is empty when another process has taken over: the same training in a copy of the workspace.
        """
        event_file, self._event_file = self._event_file, None
        if event_file and event_file.exists() and event_file.stat().st_size:
            append_epoch(event_file, history[-1], self._scratch.sample(history[-1]["epoch"]))
        else:
            sheets = ((row, self._scratch.sample(row["epoch"])) for row in history)
            event_file = write_event_file(self._curves, self._params, sheets)
            logger.info("its curves are the run %s of `make watch`", self._name)
        self._event_file = event_file

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except _FAILURES as error:
            if not self._has_failed:
                cause = error.__cause__ if isinstance(error, UserError) else error
                reason = (isinstance(cause, OSError) and cause.strerror) or cause
                logger.warning("warning: %s/ lacks an epoch (%s); training goes on", self._folder, reason)
            self._has_failed = True


def append_row(path: Path, row: Mapping[str, object]) -> None:
    """Append a row to a CSV file, which gets the columns that it lacks. Several processes may do so at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock"), timeout=_SECONDS_TO_WAIT):
        rows: list[Mapping[str, object]] = []
        columns: list[str] = []
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                columns = list(reader.fieldnames or ())
                rows = list(reader) if row.keys() - set(columns) else []
        if missing := [name for name in row if name not in columns]:
            columns += missing
            write_rows(path, rows, columns)
        with path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, columns, lineterminator="\n").writerow(row)
