"""Show a training on its run's page: progress, sample sheets and questions, read from the files it writes."""

import threading
import time
from contextvars import copy_context
from pathlib import Path
from typing import Any

import httpx
from prefect import get_run_logger
from prefect.artifacts import create_image_artifact, create_progress_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.exceptions import PrefectException

from pipeline.page.pictures import data_uri
from pipeline.page.review import Review
from settings.params_file import read_params

_SECONDS_TO_FINISH = 5


class TrainingWatch:
    """Watches one training. Its task calls `look` about every second, and `finish` at the end."""

    def __init__(self, folder: Path, review: Review | None) -> None:
        self._folder, self._review = folder, review
        self._started = time.time()
        self._epochs = read_params(folder / "params.yaml").train.epochs
        self._shown: Path | None = None
        self._artifacts: tuple[Any, Any] | None = None
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
        """Show the last sheet."""
        for _ in range(2):  # the one before may be under way
            self._show_newest()
            if self._showing:
                self._showing.join(_SECONDS_TO_FINISH)

    def _show_newest(self) -> None:
        newest = max(self._folder.glob("scratch/train-*/samples/epoch-*.png"), key=_made, default=None)
        is_new = newest and newest != self._shown and _made(newest) >= self._started
        if is_new and not (self._showing and self._showing.is_alive()):
            self._shown = newest
            # In a thread, as a server that is away must neither hold up nor end the training.
            self._showing = threading.Thread(target=copy_context().run, args=(self._show, newest), daemon=True)
            self._showing.start()

    def _show(self, sheet: Path) -> None:
        epoch = int(sheet.stem.removeprefix("epoch-"))
        title = f"epoch {epoch} of {self._epochs}"
        percent = 100 * epoch / self._epochs
        try:
            if self._artifacts is None:
                progress = create_progress_artifact(percent, key="training-progress", description=title)
                picture = create_image_artifact(data_uri(sheet), key="training-sample", description=title)
                self._artifacts = progress, picture
            else:
                with get_client(sync_client=True) as client:
                    for artifact, content in zip(self._artifacts, (percent, data_uri(sheet)), strict=True):
                        client.update_artifact(artifact, ArtifactUpdate(data=content, description=title))
        except (httpx.HTTPError, PrefectException, FileNotFoundError) as error:
            get_run_logger().warning("%s is not shown: %s", title, error)


def _made(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # training begins anew
        return 0
