"""Show a training on its run's page: progress, curves, sample sheets, questions, read from the files it writes."""

import json
import threading
import time
from contextvars import copy_context
from pathlib import Path
from typing import Any

import httpx
from prefect import get_run_logger
from prefect.artifacts import create_image_artifact, create_progress_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.exceptions import PrefectException
from safetensors import SafetensorError

from colorizer.core.safetensors_header import read_metadata
from pipeline.page.pictures import data_uri
from pipeline.page.review import Review
from settings.params_file import read_params

_SECONDS_TO_FINISH = 5


class TrainingWatch:
    """Watches one training. Its task calls `look` every half second, and `finish` at the end."""

    def __init__(self, folder: Path, review: Review | None) -> None:
        self._folder, self._review = folder, review
        self._started = time.time()
        self._params = read_params(folder / "params.yaml").train
        self._shown: Path | None = None
        self._artifacts: tuple[Any, ...] | None = None
        self._showing: threading.Thread | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables for the training process."""
        return self._review.environment if self._review else {}

    def look(self) -> None:
        """Show what is new since the last look; ask when the training waits for an answer."""
        self._show_newest()
        if self._review:
            self._review.look()

    def finish(self) -> None:
        """Show the last epoch."""
        for _ in range(2):  # the one before may be under way
            self._show_newest()
            if self._showing:
                self._showing.join(_SECONDS_TO_FINISH)

    def _show_newest(self) -> None:
        # An epoch's state is written last. Whatever else it left is there by then.
        newest = max(self._folder.glob("scratch/train-*/state-*.safetensors"), key=_made, default=None)
        is_new = newest and newest != self._shown and _made(newest) >= self._started
        if is_new and not (self._showing and self._showing.is_alive()):
            self._shown = newest
            # In a thread, as a server that is away must neither hold up nor end the training.
            self._showing = threading.Thread(target=copy_context().run, args=(self._show, newest), daemon=True)
            self._showing.start()

    def _show(self, state: Path) -> None:
        epoch = int(state.stem.removeprefix("state-"))
        title = f"epoch {epoch} of {self._params.epochs}"
        percent = 100 * epoch / self._params.epochs
        try:
            sheet = data_uri(state.parent / "samples" / f"epoch-{epoch:04d}.png")
            curves = read_curves(state, self._params.monitor)
            if self._artifacts is None:
                self._artifacts = (
                    create_progress_artifact(percent, key="training-progress", description=title),
                    create_image_artifact(sheet, key="training-sample", description=title),
                    create_table_artifact(curves, key="training-curves", description=title),
                )
            else:
                with get_client(sync_client=True) as client:
                    for artifact, data in zip(self._artifacts, (percent, sheet, json.dumps(curves)), strict=True):
                        client.update_artifact(artifact, ArtifactUpdate(data=data, description=title))
        except (httpx.HTTPError, PrefectException, FileNotFoundError, SafetensorError) as error:
            get_run_logger().warning("%s is not shown: %s", title, error)


def read_curves(state: Path, monitor: str) -> list[dict[str, str]]:
    """Read from the header of a state file a row per epoch, the newest first: its number, rate, scores and losses.

    The score that chooses the epoch, `monitor`, comes before the losses, the others after them. Figures have four
    significant digits; what an epoch lacks, such as a loss of the discriminator, is empty.
    """
    history = read_metadata(state)["history"]
    names = dict.fromkeys(name for row in history for name in row)
    losses = [name for name in names if name.endswith("_loss")]
    scores = [name for name in names if name.startswith("validation_")]
    scores.sort(key=lambda name: name != f"validation_{monitor}")
    columns = ["learning_rate", *scores[:1], *losses, *scores[1:]]
    return [
        {"epoch": str(row["epoch"])} | {name: f"{row[name]:.4g}" if name in row else "" for name in columns}
        for row in reversed(history)
    ]


def _made(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # training begins anew
        return 0
