"""Looks at a training from outside, by the files it leaves: progress, pictures and questions go to the run's page."""

import time
from pathlib import Path
from typing import Any

import httpx
from prefect import get_run_logger
from prefect.artifacts import create_image_artifact, create_progress_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate

from pipeline.pictures import data_uri
from pipeline.review import Review
from stages.params_file import read_params


class TrainingWatch:
    """`look` is to be called about every second by the task whose child trains."""

    def __init__(self, folder: Path, review: Review | None) -> None:
        self._folder, self._review = folder, review
        self._started = time.time()
        self._epochs = read_params(folder / "params.yaml").train.epochs
        self._shown: Path | None = None
        self._progress: Any = None
        self._picture: Any = None

    @property
    def environment(self) -> dict[str, str]:
        """What the training has to be told."""
        return self._review.environment if self._review else {}

    def look(self) -> None:
        """Show what is new since the last look; ask when the training waits for an answer."""
        try:
            self._show_newest_sheet()
        except httpx.TransportError as error:
            get_run_logger().warning("the Prefect server does not answer (%s); training goes on", error)
        if self._review:
            self._review.look()

    def _show_newest_sheet(self) -> None:
        sheets = [
            path for path in self._folder.glob("scratch/train-*/samples/epoch-*.png") if _made(path) > self._started
        ]
        newest = max(sheets, key=_made, default=None)
        if newest is None or newest == self._shown:
            return
        self._shown = newest
        epoch = int(newest.stem.removeprefix("epoch-"))
        title = f"epoch {epoch} of {self._epochs}"
        percent = 100 * epoch / self._epochs
        if self._progress is None or self._picture is None:
            self._progress = create_progress_artifact(percent, key="training-progress", description=title)
            self._picture = create_image_artifact(data_uri(newest), key="training-sample", description=title)
        else:
            with get_client(sync_client=True) as client:
                client.update_artifact(self._progress, ArtifactUpdate(data=percent, description=title))
                client.update_artifact(self._picture, ArtifactUpdate(data=data_uri(newest), description=title))


def _made(path: Path) -> float:
    return path.stat().st_mtime
