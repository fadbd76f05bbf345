"""One run of the training stage: validates, saves, reports and logs each epoch."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorizer.core.errors import UserError
from colorizer.core.files import save_image
from colorizer.core.lab import Predict
from colorizer.core.progress import Progress
from colorizer.epochs.decisions import Decisions
from colorizer.epochs.epoch_log import EpochLog
from colorizer.epochs.retention import epochs_to_keep
from colorizer.epochs.scratch import ResumePoint, Scratch
from colorizer.epochs.validation import Validator
from colorizer.networks.checkpoints import generate_chroma, save_generator
from colorizer.networks.pooled_features import PooledFeatures
from colorizer.scoring.sheets import comparison_sheet
from colorizer.training.diagnostics import diagnose
from colorizer.training.gan import GAN, HINT_LOSS, DivergedError
from colorizer.training.recipe import Recipe
from colorizer.training.start_model import StartModel, all_learnt_from
from colorizer.training.training_data import TrainingData
from colorizer.training.training_state import save_state

logger = logging.getLogger(__name__)

_SHORT_NAMES = {
    "discriminator_loss": "D",
    "adversarial_loss": "G",
    "l1_loss": "L1",
    "swd_loss": "colours",
    HINT_LOSS: "hints",
}


@dataclass(frozen=True, kw_only=True)
class TrainedEpoch:
    """An epoch's number from 1, its learning rate, mean losses, and clock time."""

    number: int
    learning_rate: float
    losses: dict[str, float]
    seconds: float
    seconds_waited_for_data: float


class Run:
    """Keeps the history of a training, a row per finished epoch, and the files of each epoch in its scratch folder.

    keep: which checkpoints are kept, as in `retention`. monitor: the validation score that chooses the model.
    sheet_images: how many images a sample sheet shows. device: where the validation computes. logs: the folder of the
    logs. `check_parent` is called after every step and while scoring; it may end the training by raising. start: the
    model that the training began from.
    """

    def __init__(
        self,
        data: TrainingData,
        scratch: Scratch,
        decisions: Decisions,
        facts: dict,
        resume_point: ResumePoint | None,
        *,
        recipe: Recipe,
        keep: str,
        monitor: str,
        sheet_images: int,
        logs: Path,
        device: torch.device,
        check_parent: Callable[[], None],
        start: StartModel | None = None,
    ) -> None:
        self.data, self.scratch, self.decisions, self.facts, self.recipe = data, scratch, decisions, facts, recipe
        self.history = resume_point.history if resume_point else []
        self.state = resume_point.state if resume_point else None
        self._keep, self._monitor, self._sheet_images = keep, monitor, sheet_images
        self._check_parent, self._start = check_parent, start
        self._log = EpochLog(logs, scratch, facts["params"])
        self._log.resume(self.history)
        validates = len(data.validation) > 0
        self._validate = Validator(
            store=data.store,
            images=data.validation if validates else self._images_on_sheet,
            batch_size=recipe.batch_size,
            on_step=check_parent,
            pooled_features=PooledFeatures(device) if validates else None,
        )

    @property
    def epochs_left(self) -> int:
        return self.recipe.epochs - len(self.history)

    @property
    def is_complete(self) -> bool:
        """True if training may end with the epochs that are finished."""
        return self.decisions.is_complete(len(self.history))

    def remaining_epochs(self, progress: Progress) -> Iterator[tuple[int, float]]:
        """Yield the number and learning rate of each remaining epoch.

        Between epochs, get the decision about the last finished one.
        """
        while not self.decisions.stop_after(self.history, progress):
            number = len(self.history) + 1
            progress.label = f"epoch {number}/{self.recipe.epochs}"
            rate = self.decisions.learning_rate_at(number)
            yield number, self.recipe.linear_decay(rate, number)

    def on_batch(self, progress: Progress) -> Callable[[int, dict[str, Tensor], float], None]:
        """Return the callback for each batch: check that the parent process lives, and show losses and progress."""

        def advance(num_images: int, losses: dict[str, Tensor], share_waited: float) -> None:
            self._check_parent()
            progress.advance(num_images, lambda: f"{_show(losses)}, data {share_waited:.1%}")

        return advance

    @contextmanager
    def advice_after_divergence(self, epoch: int) -> Iterator[None]:
        """Turn a DivergedError into a UserError that says what is left and what to do."""
        try:
            yield
        except DivergedError as error:
            raise UserError(f"epoch {epoch}: {error}; {self.decisions.after_divergence(epoch)}") from error

    def validate(self, gan: GAN) -> dict[str, dict[str, float]]:
        """Score the averaged generator on the validation images, or else on those of the sample sheet."""
        return self._validate(self._predict(gan))

    def save(self, epoch: TrainedEpoch, gan: GAN, scores: dict[str, dict[str, float]]) -> list[str]:
        """Add the epoch to the history and write its checkpoint, its sample sheet and the state to resume from.

        Returns the warnings about it.
        """
        scratch, number = self.scratch, epoch.number
        validation = scores["model"] if len(self.data.validation) else {}
        warnings = diagnose(epoch.losses, scores["model"], scores["truth"])
        self.history.append(
            {"epoch": number, "learning_rate": epoch.learning_rate, **epoch.losses, "warnings": "; ".join(warnings)}
            | {f"validation_{name}": value for name, value in validation.items()}
        )
        save_generator(
            scratch.checkpoint(number),
            gan.ema.module,
            self.data.normalization,
            image_shape=self.data.image_shape,
            epoch=number,
            scores=validation,
            facts=self.facts | self.decisions.facts_before(number),
            discriminator=gan.discriminator,
            learnt_from=self._learnt_from,
            ancestry=self._start.ancestry if self._start else [],
        )
        truth = self._truth_on_sheet
        save_image(comparison_sheet(truth, self._predict(gan)(truth[..., 0])), scratch.sample(number))
        needed = epochs_to_keep(self.history, self._keep, self._monitor, self.decisions.declined)
        files = scratch.checksums(number, needed)
        save_state(scratch.state(number), gan, {"epoch": number, "history": self.history, "files": files})
        scratch.prune(number, files)
        return warnings

    def report(self, epoch: TrainedEpoch, warnings: Sequence[str], progress: Progress) -> None:
        """Print the warnings about an epoch and log it, with its clock times."""
        times = {
            "seconds": f"{epoch.seconds:.2f}",
            "seconds_waiting_for_data": f"{epoch.seconds_waited_for_data:.2f}",
            "images_per_second": f"{len(self.data.images) / epoch.seconds:.2f}",
        }
        with progress.paused():
            if epoch.number > self.recipe.l1_pretrain_epochs:  # L1 alone is dull by nature
                for warning in warnings:
                    logger.warning(f"warning: epoch {epoch.number}: {warning}")
            self._log.add(self.history, times | self.facts["environment"])

    def _predict(self, gan: GAN) -> Predict:
        return partial(
            generate_chroma,
            gan.ema.module,
            self.data.normalization,
            device=gan.device,
            precision=gan.precision,
        )

    @cached_property
    def _images_on_sheet(self) -> NDArray[np.int64]:
        """Validation (or else training) images at equal steps."""
        candidates = self.data.validation if len(self.data.validation) else self.data.images
        count = min(self._sheet_images, len(candidates))
        return candidates[np.linspace(0, len(candidates) - 1, count).astype(int)]

    @cached_property
    def _learnt_from(self) -> NDArray[np.uint64] | None:
        return all_learnt_from(self._start, self.data.content_hashes)

    @cached_property
    def _truth_on_sheet(self) -> NDArray[np.uint8]:
        return self.data.store[self._images_on_sheet]


def _show(losses: dict[str, Tensor]) -> str:
    """The losses of this process's part of the batch; D and G are the two binary cross-entropies."""
    return " ".join(f"{short} {float(losses[name]):.3f}" for name, short in _SHORT_NAMES.items() if name in losses)
