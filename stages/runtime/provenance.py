"""Collects everything that decides a training's result: params, code, inputs, environment. Equal facts, equal bytes."""

from pathlib import Path

from ruamel.yaml import YAML

from colorizer.core.digests import file_digest
from colorizer.core.errors import UserError
from settings.params import Train
from settings.params_file import flat

# The environment records what device, num_processes and precision resolve to. ask does not influence the result. The
# decisions do: Scratch.answers compares them.
_DECIDE_NOTHING = {"ask", "decisions", "device", "num_processes", "precision"}


def training_facts(options: Train, environment: dict[str, str | int]) -> dict[str, dict]:
    """Collect the facts, by kind and name. Files are those that dvc.yaml declares for the stage, with their SHA-256.

    Raises UserError when one is missing.
    """
    declared = YAML(typ="safe").load(Path("dvc.yaml"))["stages"]["train"]["deps"]
    try:
        digests = {path.as_posix(): file_digest(path) for name in declared for path in _files(Path(name))}
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing: run `dvc repro`") from error
    # While the learning rate stays, no epoch depends on how many follow: a longer training goes on from a shorter one.
    decide_nothing = _DECIDE_NOTHING if options.decay_epochs else {*_DECIDE_NOTHING, "epochs"}
    params = train_params(options)["params"]
    return {
        "params": {name: value for name, value in params.items() if name.split(".")[1] not in decide_nothing},
        "inputs": {name: digest for name, digest in digests.items() if not name.endswith(".py")},
        "code": {name: digest for name, digest in digests.items() if name.endswith(".py")},
        "environment": environment,
    }


def _files(declared: Path) -> list[Path]:
    """A file, or the code of a package."""
    return sorted(declared.rglob("*.py")) if declared.is_dir() else [declared]


def train_params(options: Train) -> dict[str, dict]:
    """Return the whole section as facts of the kind `params`: dotted names and plain values."""
    return {"params": flat({"train": options.model_dump(mode="json")})}
