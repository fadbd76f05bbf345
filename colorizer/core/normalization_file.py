"""Reads normalization.json, the map to [-1, 1] that every model of this data carries."""

import json
from pathlib import Path

from colorizer.core.errors import UserError
from colorizer.core.lab import Normalization


def read_normalization(path: Path) -> Normalization:
    """Read the normalisation of this data; raises UserError when the file is missing or damaged."""
    try:
        return Normalization(**json.loads(path.read_text(encoding="utf-8"))["normalization"])
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: run `dvc repro normalize`") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}): run `dvc repro --force normalize`") from error
