"""The command that trains on imported photographs, to be pasted into a shell."""

import re
import shlex
from pathlib import Path


def training_command(root: Path) -> str:
    """Build the `dvc exp run` that trains on the raw arrays in `root`: a fifth tests, a tenth of the rest validates."""
    settings = {
        "data.root": hydra_text(str(root)),
        "split.train": 0.8,
        "split.validation": 0.1,
        "split.test": 0.2,
        "split.shuffle": "true",
    }
    return "dvc exp run " + " ".join(f"-S {shlex.quote(f'{key}={value}')}" for key, value in settings.items())


def hydra_text(text: str) -> str:
    """Write a text as a value for Hydra's overrides, `-S` of DVC's commands: a path of plain letters as it is.

    Source: hydra.cc, "Basic Override syntax", quoted values. OmegaConf would replace `${...}`, so it is escaped.
    """
    if re.fullmatch(r"[A-Za-z0-9_.-]*/[A-Za-z0-9_./-]*", text):  # never a number, true or null
        return text
    text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    return '"' + re.sub(r'(\\*)("|\Z)', lambda found: found[1] * 2 + found[2].replace('"', '\\"'), text) + '"'
