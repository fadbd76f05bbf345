"""Read params.yaml, with one clear line for every mistake, and write single keys of it."""

import codecs
import io
import os
import re
import reprlib
import shlex
import shutil
import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter

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


class _NullInWords(RoundTripRepresenter):
    """Writes None as `null`. The class of ruamel.yaml is that of the whole process: DVC would write `null` too."""


_NullInWords.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))

_SHORTENED = reprlib.Repr()
_SHORTENED.maxstring = _SHORTENED.maxother = 200


def read_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check the whole file; raises UserError naming the key and the fix."""
    return _check(_load(path, YAML())[0], path)


def _load(path: Path, round_trip: YAML) -> tuple[Any, Any]:
    """The content as DVC reads it, and with its comments and layout. Refuses what either parser refuses."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # without the byte order mark of some editors
        layout = round_trip.load(io.StringIO(text))
        return YAML(typ="safe").load(io.StringIO(text)), layout
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is missing: run from the project's folder, or take a preset (cp presets/sample.yaml {path})"
        ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or '').lower()}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: save it as UTF-8 ({error})") from error
    except (YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).replace('in "<file>", ', "in ").split())
        advice = ": write blanks in place of tabs" if r"'\t'" in reason else ""
        raise UserError(f"{path} is not valid YAML: {reason}{advice}") from error


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
    seen = "" if isinstance(problem["input"], dict | BaseModel) else f" (it is {_SHORTENED.repr(problem['input'])})"
    return f"{name}: {message}{seen}" if keys else message


def write_params(changes: Mapping[str, object], path: Path = PARAMS_FILE, *, base: Path | None = None) -> None:
    """Set dotted keys of the file and leave everything else in it, comments and line ends included, as it is.

    With `base`, everything else is as in that file. A link stays one: the file it leads to is written. Raises
    UserError, and leaves the file alone, when it would no longer be valid or is write-protected.
    """
    changed = _changed(changes, path, base or path)
    file = Path(os.path.realpath(path))
    with atomic_write(file) as partial:
        partial.write_bytes(changed)
        if file.exists():
            shutil.copymode(file, partial)


def check_changes(changes: Mapping[str, object], path: Path, *, base: Path) -> None:
    """Raise UserError when `write_params` would; change nothing."""
    _changed(changes, path, base)


def refuse_unwritable(path: Path = PARAMS_FILE) -> None:
    """Raise UserError if `write_params` could not change the file."""
    _changed({}, path, path)
    folder = Path(os.path.realpath(path)).parent
    if not os.access(folder, os.W_OK):
        raise UserError(f"{folder} cannot be written to: answers could not be kept in {path.name}")


def _changed(changes: Mapping[str, object], path: Path, base: Path) -> bytes:
    """What `write_params` writes."""
    if path.exists() and not path.stat().st_mode & stat.S_IWUSR:
        raise UserError(f"{path} is write-protected: `chmod u+w {shlex.quote(str(path))}`")
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 10_000, True
    yaml.Representer = _NullInWords
    expected, content = _load(base, yaml)
    _check(expected, base)
    for name, value in flat(changes).items():
        *sections, key = name.split(".")
        section, plain = content, expected
        for part in sections:
            section, plain = section.setdefault(part, CommentedMap()), plain.setdefault(part, {})
            if not isinstance(section, CommentedMap):
                raise UserError(f"{path}: {name} is not a known key: {part} holds a single value")
        plain[key] = value
        if isinstance(value, list) and isinstance(section.get(key), CommentedSeq) and section[key]:
            _update_lines(section[key], value)  # in place: comments hang on the entries
        else:
            section[key] = [_in_one_line(entry) for entry in value] if isinstance(value, list) else value
    _check(expected, path)
    written = io.BytesIO()
    yaml.dump(content, written)
    if YAML(typ="safe").load(written.getvalue()) != expected:
        raise UserError(f"{base} is written in a way that a program cannot change: see presets/ for a simpler one")
    return _with_ends_of(base.read_bytes(), written.getvalue())


def _with_ends_of(original: bytes, text: bytes) -> bytes:
    """UTF-8 text with the byte order mark and the line end of the original: of different ends the most frequent one."""
    mark = codecs.BOM_UTF8 if original.startswith(codecs.BOM_UTF8) else b""
    ends = Counter(re.findall(b"\r\n|\r|\n", original)).most_common(1)
    return mark + (text.replace(b"\n", ends[0][0]) if ends else text)


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
