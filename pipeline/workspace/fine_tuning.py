"""The params of a refresh that goes on from the promoted model, in place of training from random weights."""

from pathlib import Path

from colorizer.models.registry import MODEL, Version
from pipeline.workspace.repository import Clone
from settings.params import Train
from settings.params_file import PARAMS_FILE, read_params, write_params
from settings.paths import METRICS

_OWN = ("start_from", "epochs", "l1_pretrain_epochs", "decay_epochs", "decisions")  # of the section train


def take_up_last_refresh(clone: Clone) -> None:
    """Let the clone go on from the results of the last refresh, with the same model to begin from.

    What DVC would run then is what has changed since.
    """
    if clone.last:
        params = clone.path / PARAMS_FILE
        now = params.read_bytes()
        clone.restore(clone.last, str(PARAMS_FILE))
        last = read_params(params).train
        params.write_bytes(now)
        clone.restore(clone.last, "dvc.lock", str(METRICS))
        _set_own(params, last)


def begin_from_promoted(folder: Path, current: Version, epochs: int | None) -> None:
    """Set the params so that `epochs` epochs, or as many as before, follow the promoted model.

    No epoch trains on L1 alone, which is for weights that know nothing. Answers of another training are forgotten.
    """
    options = read_params(folder / PARAMS_FILE).train
    wanted = epochs or options.epochs
    changes = {
        "start_from": f"{MODEL}@{current.name}",
        "epochs": wanted,
        "l1_pretrain_epochs": 0,
        "decay_epochs": min(options.decay_epochs, wanted),
        "decisions": (),
    }
    _set_own(folder / PARAMS_FILE, options.model_copy(update=changes))


def _set_own(params: Path, options: Train) -> None:
    values = options.model_dump(mode="json", include=set(_OWN))
    write_params({f"train.{key}": values[key] for key in _OWN}, params)
