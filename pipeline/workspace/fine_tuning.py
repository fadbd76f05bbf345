"""The params of a refresh that goes on from the promoted model, in place of training from random weights."""

from ruamel.yaml import YAML

from colorizer.models.registry import MODEL, Version
from pipeline.workspace.repository import Clone
from settings.params_file import PARAMS_FILE, read_params, write_params
from settings.paths import METRICS

# Of the section `train`: what `begin_from_promoted` sets.
_CHANGED_KEYS = ("start_from", "epochs", "l1_pretrain_epochs", "decay_epochs", "decisions")


def take_up_last_refresh(clone: Clone) -> int | None:
    """Let the clone go on from the results of the last refresh, with the same model to begin from.

    What DVC would run then is what has changed since. Returns the epochs of that refresh if it fine-tuned a model.
    """
    if clone.last:
        params = clone.path / PARAMS_FILE
        now = params.read_bytes()
        clone.restore(clone.last, str(PARAMS_FILE))
        last = YAML(typ="safe").load(params)["train"]  # of an earlier version of the project, perhaps
        params.write_bytes(now)
        clone.restore(clone.last, "dvc.lock", str(METRICS))
        write_params({f"train.{key}": last[key] for key in _CHANGED_KEYS if key in last}, params)
        return last["epochs"] if last.get("start_from") else None
    return None


def begin_from_promoted(clone: Clone, commit: str, current: Version, epochs: int) -> None:
    """Set the params so that `epochs` epochs follow the promoted model; all others are those of `commit`.

    No epoch trains on L1 alone, which is for weights that know nothing. Answers of another training are forgotten.
    """
    clone.restore(commit, str(PARAMS_FILE))
    options = read_params(clone.path / PARAMS_FILE).train
    changes = {
        "train.start_from": f"{MODEL}@{current.name}",
        "train.epochs": epochs,
        "train.l1_pretrain_epochs": 0,
        "train.decay_epochs": min(options.decay_epochs, epochs),
        "train.decisions": [],
    }
    write_params(changes, clone.path / PARAMS_FILE)
