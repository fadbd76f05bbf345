"""Stops trainings of a search that lag behind: reads the validation scores of each epoch while it trains."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from safetensors import SafetensorError

from colorizer.core.safetensors_header import read_metadata
from pipeline.sweeps.candidates import Candidate, PrunedError, read_history, scores_after
from settings.params_file import read_params

FIRST_AT_RANDOM = 5  # trials; also how many trainings have to be finished before one is pruned


def open_journal(path: Path) -> JournalStorage:
    """The file of a study, which several processes may append to."""
    return JournalStorage(JournalFileBackend(str(path.resolve())))


@dataclass
class Pruner:
    """Tells the study of a search the scores of one training, and raises PrunedError when it lags behind.

    It does when its best score so far is worse than the median of the finished trainings after as many epochs. The
    epochs of L1 alone and the last one are never the reason. An epoch decides by itself, however late it is seen: so
    the same trainings are pruned on every machine. May be sent to another process.
    """

    candidate: Candidate
    journal: Path
    study: str
    trial: int
    _seen: dict[Path, int] = field(default_factory=dict)

    def begin(self) -> None:
        """Take note of the states that an earlier run has left: of another training perhaps."""
        self._seen = self._states()

    def look(self) -> None:
        """Judge the epochs that the training has finished since."""
        states = self._states()
        if fresh := [path for path in states if states[path] != self._seen.get(path)]:
            self._seen = states
            self._judge(_read_history(max(fresh, key=lambda path: states[path])))

    def finish(self) -> None:
        """Judge all epochs of a training that is done."""
        self._judge(read_history(self.candidate))

    def _judge(self, history: Sequence[dict[str, Any]]) -> None:
        options = read_params(self.candidate.workspace / "params.yaml").train
        study = optuna.load_study(
            study_name=self.study,
            storage=open_journal(self.journal),
            sampler=optuna.samplers.RandomSampler(),  # nothing is chosen here
            pruner=optuna.pruners.MedianPruner(n_startup_trials=FIRST_AT_RANDOM),
        )
        frozen = study.trials[self.trial]
        trial = optuna.trial.Trial(study, frozen._trial_id)
        for row in history:
            epoch = row["epoch"]
            if epoch < (frozen.last_step or 0):
                continue
            if epoch not in frozen.intermediate_values:
                trial.report(row[f"validation_{options.monitor}"], epoch)
            if options.l1_pretrain_epochs < epoch < options.epochs and trial.should_prune():
                raise PrunedError(scores_after(history, epoch, options.monitor, pruned=True))

    def _states(self) -> dict[Path, int]:
        """When each state of the trainings in this workspace was written."""
        found = {}
        for path in self.candidate.workspace.glob("scratch/train-*/state-*.safetensors"):
            try:
                found[path] = path.stat().st_mtime_ns
            except FileNotFoundError:  # replaced by a newer one
                continue
        return found


def _read_history(state: Path) -> list[dict[str, Any]]:
    """The history in a state's header; empty when a newer one has replaced it just now."""
    try:
        return read_metadata(state)["history"]
    except (OSError, SafetensorError):
        return []
