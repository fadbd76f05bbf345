"""An adaptive search for settings: Optuna's study, which chooses candidates and prunes trainings that lag behind.

The study is a journal that Optuna appends to and that can be read after any kill. Every suggestion has a seed of its
own, so a search that was stopped goes on as if it had not been. Optuna is imported here, when a search begins.
"""

import json
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState
from ruamel.yaml import YAML

from colorizer.core.digests import file_digest, fingerprint
from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write
from pipeline.sweeps.candidates import (
    START_FROM,
    Candidate,
    Scores,
    check_values,
    make_candidate,
    name_candidate,
    pin_start_models,
    read_base,
)
from pipeline.sweeps.pruning import FIRST_AT_RANDOM, Pruner, open_journal
from pipeline.sweeps.ranges import Range
from settings.params import Params

_JOURNAL = "optuna.journal"
optuna.logging.set_verbosity(optuna.logging.WARNING)
logger = logging.getLogger(__name__)


class Search:
    """Chooses up to `total` candidates from lists and ranges, each with regard to the scores of those before it.

    The study in `parent` is continued if it is about the same: values, params, code and raw arrays. Raises UserError
    when the ends of the ranges cannot be tried.
    """

    def __init__(
        self,
        folder: Path,
        parent: Path,
        values: Mapping[str, list[Any] | Range],
        contents: Mapping[str, str],
        total: int,
    ) -> None:
        self._folder, self._parent, self._contents = folder, parent, contents
        check_values(folder, values)
        base = read_base(folder)
        named = values.get(START_FROM, [base.train.start_from])
        assert isinstance(named, list)  # no end of a range is a name
        self._start_models: list[str | None] = list(map(pin_start_models(folder), named))
        self._values = {**values, START_FROM: self._start_models} if START_FROM in values else dict(values)
        self.total, self._seed, self._journal = total, base.train.seed, parent / _JOURNAL
        _mend(self._journal)
        self._study = optuna.create_study(
            storage=open_journal(self._journal), study_name=self._identify(base), load_if_exists=True
        )
        self.scores: dict[Candidate, Scores] = {}
        self.diverged: list[Candidate] = []
        self._begun: list[FrozenTrial] = []
        for trial in self._study.trials:
            if "scores" in trial.user_attrs:
                scores = self.scores[self._known(trial)] = Scores(**trial.user_attrs["scores"])
                if trial.state == TrialState.RUNNING:  # killed just now
                    self._tell(trial.number, scores)
            elif "diverged" in trial.user_attrs:
                self.diverged.append(self._known(trial))
                if trial.state == TrialState.RUNNING:
                    self._study.tell(trial.number, math.inf)
            elif trial.state == TrialState.RUNNING:
                self._begun.append(trial)
        self._open: dict[Candidate, list[Trial]] = {}

    def candidates(self) -> Iterator[tuple[Candidate, Pruner]]:
        """Yield candidates to train, with what may stop them; each is chosen when it is asked for.

        Settings that were chosen before are not trained again. Raises UserError when params.yaml or anything else that
        decides the scores has changed meanwhile.
        """
        while trial := self._next():
            if self._identify(read_base(self._folder)) != self._study.study_name:
                raise UserError(
                    "params.yaml, code or a model to begin from has changed since the search began, so its trainings "
                    "could not be compared: undo that and start it again to go on, or start it again to begin anew"
                )
            try:
                candidate = make_candidate(
                    self._folder, self._parent, self._suggest(trial), self._contents, self._start_models[0]
                )
            except UserError as error:
                logger.warning("left out: %s", error)
                self._study.tell(trial, state=TrialState.FAIL)
                continue
            trial.set_user_attr("settings", candidate.settings)
            if candidate in self.scores:
                self._record(trial, self.scores[candidate])
            elif candidate in self.diverged:
                self._study.tell(trial, math.inf)
            elif candidate in self._open:
                self._open[candidate].append(trial)
            else:
                self._open[candidate] = [trial]
                study = self._study.study_name
                yield candidate, Pruner(candidate, journal=self._journal, study=study, trial=trial.number)

    def record(self, candidate: Candidate, scores: Scores) -> None:
        """Take the scores of a candidate into the study. Those without are tried first when the search goes on."""
        self.scores[candidate] = scores
        for trial in self._open.pop(candidate):
            self._record(trial, scores)

    def give_up(self, candidate: Candidate) -> None:
        """Take it into the study that a candidate's training diverges, which is worse than any score."""
        self.diverged.append(candidate)
        for trial in self._open.pop(candidate):
            trial.set_user_attr("diverged", True)
            self._study.tell(trial.number, math.inf)

    def _record(self, trial: Trial, scores: Scores) -> None:
        trial.set_user_attr("scores", asdict(scores))
        self._tell(trial.number, scores)

    def _tell(self, number: int, scores: Scores) -> None:
        if scores.pruned:
            self._study.tell(number, state=TrialState.PRUNED)
        else:
            self._study.tell(number, scores.rank)

    def _next(self) -> Trial | None:
        """The trial of a training that was begun and not finished, or a new one."""
        if self._begun:
            begun = self._begun.pop(0)
            self._study.sampler = self._sampler(begun.number)
            return Trial(self._study, begun._trial_id)
        number = len(self._study.trials)
        self._study.sampler = self._sampler(number)
        return self._study.ask() if number < self.total else None

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        seed = int(fingerprint({"seed": self._seed, "trial": number})[:8], 16)
        return optuna.samplers.TPESampler(n_startup_trials=FIRST_AT_RANDOM, seed=seed)

    def _suggest(self, trial: Trial) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        for key, values in self._values.items():
            if not isinstance(values, Range):
                settings[key] = json.loads(trial.suggest_categorical(key, [json.dumps(value) for value in values]))
            elif values.is_whole:
                settings[key] = trial.suggest_int(key, int(values.low), int(values.high), log=values.log)
            else:
                settings[key] = values.round(trial.suggest_float(key, values.low, values.high, log=values.log))
        return settings

    def _known(self, trial: FrozenTrial) -> Candidate:
        return name_candidate(self._parent, trial.user_attrs["settings"], self._contents)

    def _identify(self, params: Params) -> str:
        """Name the study by all that its scores depend on beside the settings."""
        stages = YAML(typ="safe").load(self._folder / "dvc.yaml")["stages"]
        code = {dep for name, stage in stages.items() if name != "evaluate" for dep in stage["deps"]}
        files = {file for dep in code for file in [self._folder / dep, *(self._folder / dep).rglob("*.py")]}
        facts = {
            "values": {key: str(values) for key, values in self._values.items()},
            "params": params.model_dump(mode="json"),
            "contents": dict(self._contents),
            "start_from": [self._identify_start(name) for name in self._start_models if name],
            "code": {
                file.relative_to(self._folder).as_posix(): file_digest(file)
                for file in files
                if file.suffix == ".py" and file.is_file()
            },
        }
        return fingerprint(facts)

    def _identify_start(self, name: str) -> str:
        """The content of the file to begin from, or the name of a version."""
        file = self._folder / name
        return file_digest(file) if file.is_file() else name


def _mend(journal: Path) -> None:
    """Remove the lock that a kill left, and what a power cut left of the last entry, while nobody else writes."""
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
    if journal.exists():
        content = journal.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            with atomic_write(journal) as partial:
                partial.write_bytes(whole)
