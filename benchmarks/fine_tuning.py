"""Compare fine-tuning with training anew: 5,000 photographs more, and 200 of one's own.

    python -m benchmarks.fine_tuning FOLDER

FOLDER holds l/ and ab/ with 25,000 photographs, see data/README.md. Works on a temporary clone of the last commit, by
the preset `best`; with AMX it takes half an hour. Prints minutes of encoding and training, and all scores as
`python -m colorizer score` computes them; scores are the same whenever it is run on the same kind of CPU.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from benchmarks.kill_training import DVC, clone
from colorizer.core.store import open_store
from colorizer.data.raw import write_raw
from colorizer.models.environment import child_environment

_FIRST, _ALL, _TEST = 15_000, 20_000, 500  # photographs; those to test with come after all that any model learns from
_OWN, _FOLDS = 200, 5  # of these, each fold tests a fifth
_FINE_TUNE = {"train.start_learning_rate": 0.0003, "train.l1_pretrain_epochs": 0}
_MODEL, _GIVEN = Path("models/generator.safetensors"), Path("pretrained")


@dataclass(frozen=True)
class Project:
    """A clone of the project, with the arrays in data/."""

    folder: Path

    def train(self, name: str, changes: dict[str, Any]) -> None:
        """Train by params.yaml with these changes, print the minutes, and keep the model in pretrained/."""
        path, yaml = self.folder / "params.yaml", YAML()
        params = yaml.load(path)
        for key, value in changes.items():
            section, _, last = key.partition(".")
            params[section][last] = value
        yaml.dump(params, path)
        self.repro("normalize", "split")
        encoding, training = (self.repro(stage) / 60 for stage in ("encode", "train"))
        shutil.copy(self.folder / _MODEL, self.folder / _model(name))
        print(f"{name}: encoding {encoding:.1f} minutes, training {training:.1f}", flush=True)

    def repro(self, *stages: str) -> float:
        """Run stages, and return the seconds."""
        began = time.monotonic()
        self.run(DVC, "repro", *stages)
        return time.monotonic() - began

    def score(self, *names: str) -> None:
        """Print the scores of models on the test photographs of now."""
        models = [str(_model(name)) for name in names]
        self.run(sys.executable, "-m", "colorizer", "score", *models, "--out", "scratch/scores.json")
        for path, scores in json.loads((self.folder / "scratch/scores.json").read_text(encoding="utf-8")).items():
            told = ", ".join(f"{metric} {value}" for metric, value in scores.items())
            print(f"{Path(path).stem}: {told}", flush=True)

    def run(self, *command: str | Path) -> None:
        """Run a command in the project; end with what it printed if it fails."""
        told = subprocess.run(command, cwd=self.folder, env=child_environment(), capture_output=True, encoding="utf-8")
        if told.returncode:
            sys.exit(told.stdout + told.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arrays", metavar="FOLDER", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fine_tuning.") as temporary:
        project = Project(clone(Path(temporary, "clone")))
        shutil.copyfile(project.folder / "presets/best.yaml", project.folder / "params.yaml")
        for name in ("l", "ab"):
            (project.folder / "data" / name).symlink_to((options.arrays / name).resolve())
        seeded = {"train.seed": options.seed, "split.test": _TEST}
        project.train("first", {**seeded, "split.train": _FIRST})
        project.train("anew", {"split.train": _ALL})
        project.train(
            "fine-tuned",
            {"train.start_from": str(_model("first")), "train.epochs": 1, "train.decay_epochs": 1, **_FINE_TUNE},
        )
        project.score("first", "fine-tuned", "anew")

        codes = greenest(project.folder / "data/lab.npy")
        for fold in range(_FOLDS):
            own = Path(temporary, f"own-{fold}")
            write_raw(own, np.roll(codes, fold * _OWN // _FOLDS, axis=0))
            shutil.copyfile(project.folder / "presets/best.yaml", project.folder / "params.yaml")
            changes = {"data.root": str(own), "train.seed": options.seed, "train.start_from": str(_model("anew"))}
            project.train(f"own-{fold}", {**changes, **_FINE_TUNE})
            project.score("anew", f"own-{fold}")


def _model(name: str) -> Path:
    return _GIVEN / f"{name}.safetensors"


def greenest(store: Path) -> np.ndarray:
    """Codes (200, H, W, 3) uint8 of the greenest photographs that no model has learnt from, in their order."""
    codes = open_store(store)[_ALL:]
    return codes[np.sort(np.argsort(codes[..., 1].mean(axis=(1, 2)), kind="stable")[:_OWN])]


if __name__ == "__main__":
    main()
