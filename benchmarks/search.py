"""Compare a grid, random settings and an adaptive search: the best validation score after so many trainings each.

    python -m benchmarks.search

Works on a temporary clone of the last commit, with a small recipe on crops of the built-in sample, by the command
`python -m pipeline sweep`. Prints scores alone: they are the same whenever it is run on the same kind of CPU.
"""

import argparse
import csv
import itertools
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from colorizer.models.environment import child_environment

_RATES, _WEIGHTS = (1e-4, 1e-2), (0, 300)  # of train.learning_rate, by powers of ten, and train.swd_weight
_GRID = (4, 3)  # values of each
_TRAININGS = _GRID[0] * _GRID[1]

_SMALL: dict[str, dict[str, Any]] = {
    "sample": {"size": 32, "train": 500, "test": 100},
    "split": {"train": 500, "validation": 100, "test": 100},
    "train": {"epochs": 4, "l1_pretrain_epochs": 1, "keep": "last 1", "generator": {"encoder": "plain", "width": 8}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    print("seed, method, best combined score, learning_rate, swd_weight, pruned", flush=True)
    with tempfile.TemporaryDirectory(prefix="search.") as temporary:
        folder = Path(temporary, "clone")
        subprocess.run(["git", "clone", "--quiet", "--local", Path(__file__).parent.parent, folder], check=True)
        for seed in range(options.seeds):
            use_small_recipe(folder / "params.yaml", seed)
            for method, words in methods(seed).items():
                best, pruned = sweep(folder, words)
                cells = (best["validation.combined_score"], best["train.learning_rate"], best["train.swd_weight"])
                print(", ".join([str(seed), method, *cells, str(pruned)]), flush=True)


def use_small_recipe(path: Path, seed: int) -> None:
    """Change a params.yaml to the recipe of this comparison."""
    yaml = YAML()
    params = yaml.load(path)
    for name, section in _SMALL.items():
        for key, value in section.items():
            if isinstance(value, dict):
                params[name][key].update(value)
            else:
                params[name][key] = value
    params["train"]["seed"] = seed
    yaml.dump(params, path)


def methods(seed: int) -> dict[str, list[str]]:
    """The options of `sweep` for each method."""
    ranges = f"train.learning_rate=log({_RATES[0]}, {_RATES[1]})", f"train.swd_weight=uniform{_WEIGHTS}"
    generator = np.random.default_rng(seed)
    powers = generator.uniform(math.log10(_RATES[0]), math.log10(_RATES[1]), _TRAININGS)
    at_random = zip(10**powers, generator.uniform(*_WEIGHTS, _TRAININGS), strict=True)
    grid = itertools.product(np.geomspace(*_RATES, _GRID[0]), np.linspace(*_WEIGHTS, _GRID[1]))
    return {
        "grid": ["--at-once", "2", *candidates(grid)],
        "random": ["--at-once", "2", *candidates(at_random)],
        "search": ["--search", str(_TRAININGS), "--grid", ranges[0], "--grid", ranges[1]],
    }


def candidates(pairs: Iterable[tuple[float, float]]) -> Iterator[str]:
    """An option for each pair of a learning rate and a weight."""
    for rate, weight in pairs:
        yield from ("--candidate", f"{{train.learning_rate: {rate:.4g}, train.swd_weight: {weight:.0f}}}")


def sweep(folder: Path, options: list[str]) -> tuple[dict[str, str], int]:
    """Run a sweep; returns the best row of its ranking, and how many trainings were pruned."""
    command = [sys.executable, "-m", "pipeline", "sweep", *options]
    environment = {**child_environment(), "OMP_NUM_THREADS": "1"}  # the same scores with any number of cores
    told = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8")
    if told.returncode:
        sys.exit(told.stdout + told.stderr)
    with (folder / "scratch/sweep/ranking.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return rows[0], sum(row["rank"] == "pruned" for row in rows)


if __name__ == "__main__":
    main()
