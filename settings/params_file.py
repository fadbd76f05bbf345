"""Read params.yaml, with one clear line for every mistake, and write single keys of it."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write
from settings.params import DecisionParams, Params

PARAMS_FILE = Path("params.yaml")

RENAMED = {
    "train.devices": "train.num_processes",
    "train.l1_epochs": "train.l1_pretrain_epochs",
    "train.colour_weight": "train.swd_weight",
    "train.choose": "train.monitor",
    "train.generator.halvings": "train.generator.num_downs",
    "train.discriminator.halvings": "train.discriminator.num_downs",
    "train.discriminator.sees": "train.discriminator.conditional (ab: false, lab: true)",
    "train.discriminator.judges": "train.discriminator.output (image, or patch for patches)",
}


def read_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check the whole file; raises UserError naming the key and the fix."""
    return _check(_load(path, YAML(typ="safe")), path)


def _load(path: Path, yaml: YAML) -> Any:
    try:
        return yaml.load(path)
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is missing: run from the project's folder, or take a preset (cp presets/sample.yaml {path})"
        ) from error
    except YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error


def _check(content: object, path: Path) -> Params:
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        problems = error.errors()
        seen = {".".join(map(str, problem["loc"])) for problem in problems}
        told = {new.split()[0] for old, new in RENAMED.items() if old in seen}  # by the line about the old name
        lines = [_explain(problem) for problem in problems if ".".join(map(str, problem["loc"])) not in told]
        raise UserError(f"{path}: " + "; ".join(lines)) from error


def _explain(problem) -> str:
    keys = [str(key) for key in problem["loc"]]
    name = ".".join(keys) or "the file"
    if problem["type"] == "model_type":
        return f"{name} should hold `key: value` lines: see presets/"
    if new_name := RENAMED.get(name):
        return f"{name} is called {new_name} now: rename it (presets/ show every key)"
    if problem["type"] == "extra_forbidden":
        section: type[BaseModel] = Params
        for key in keys[:-1]:
            known = section.model_fields.get(key)
            if key == "decisions":
                section = DecisionParams
            elif known:
                section = known.annotation  # type: ignore[assignment]
        close = get_close_matches(keys[-1], section.model_fields, n=1)
        return f"{name} is not a known key: " + (f"did you mean {close[0]}?" if close else "remove it")
    if problem["type"] == "missing":
        return f"{name} is missing: add it (presets/ show every key)"
    message = problem["msg"].removeprefix("Value error, ")
    seen = "" if isinstance(problem["input"], dict | BaseModel) else f" (it is {problem['input']!r})"
    return f"{name}: {message}{seen}" if keys else message


def write_params(changes: Mapping[str, object], path: Path = PARAMS_FILE, *, base: Path | None = None) -> None:
    """Set dotted keys of the file and leave everything else in it, comments included, as it is.

    With `base`, everything else is as in that file. Raises UserError, and leaves the file alone, when it would no
    longer be valid.
    """
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 10_000, True
    content = _load(base or path, yaml)
    _check(YAML(typ="safe").load(base or path), base or path)
    for name, value in flat(changes).items():
        *sections, key = name.split(".")
        section = content
        for part in sections:
            section = section.setdefault(part, CommentedMap())
            if not isinstance(section, CommentedMap):
                raise UserError(f"{path}: {name} is not a known key: {part} holds a single value")
        if isinstance(value, list) and isinstance(section.get(key), CommentedSeq) and section[key]:
            _update_lines(section[key], value)  # in place: comments hang on the entries
        else:
            section[key] = [_in_one_line(entry) for entry in value] if isinstance(value, list) else value
    with atomic_write(path) as partial:
        yaml.dump(content, partial)
        written = YAML(typ="safe").load(partial)
        assert written == content, f"{path} would have been written wrongly"
        _check(written, path)


def flat(values: Mapping[str, Any], section: str = "") -> dict[str, Any]:
    """Flatten nested sections: `{"train": {"epochs": 3}}` becomes `{"train.epochs": 3}`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{section}{name}.") if isinstance(value, Mapping) else {f"{section}{name}": value}
    return found


def _update_lines(lines: CommentedSeq, entries: Sequence[object]) -> None:
    for index, entry in enumerate(entries):
        if index == len(lines):
            lines.append(_in_one_line(entry))
        elif lines[index] != entry:
            lines[index] = _in_one_line(entry)
    del lines[len(entries) :]


def _in_one_line(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    line = CommentedMap(entry)
    line.fa.set_flow_style()
    return line
