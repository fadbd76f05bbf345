"""Set params before a run, by a preset and by single values. All is checked before anything is written."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write
from colorizer.models.registry import pin_start_model
from settings.params_file import check_changes, flat, read_params, write_params


def set_params(folder: Path, preset: str | None, overrides: Mapping[str, Any]) -> list[str]:
    """Write a preset, then keys such as `train.epochs`, to params.yaml of the workspace in `folder`.

    Returns what changed, a line each. Raises UserError, with the file as it was, when the result would not be valid.
    """
    target = folder / "params.yaml"
    if not preset and not overrides:
        read_params(target)
        return []
    before = target.read_bytes() if target.exists() else b""
    check_params(folder, preset, overrides)
    base = _preset(folder, preset) if preset else target
    write_params(overrides, target, base=base)
    then, now = _keys_of(before), _keys_of(target.read_bytes())
    lines = [f"params.yaml: {key} {then.get(key)} -> {now[key]}" for key in now if then.get(key) != now[key]]
    if preset and lines and before and before not in _presets(folder).values():
        kept = folder / "scratch" / "params" / f"{hashlib.sha256(before).hexdigest()[:16]}.yaml"
        with atomic_write(kept) as partial:
            partial.write_bytes(before)
        lines.append(f"params.yaml as it was is kept in {kept.relative_to(folder)}")
    return lines


def check_params(folder: Path, preset: str | None, overrides: Mapping[str, Any]) -> None:
    """Check a preset and overrides, and that the model to begin from exists; change nothing. Raises UserError."""
    target = folder / "params.yaml"
    base = _preset(folder, preset) if preset else target
    check_changes(overrides, target, base=base)
    name = flat(overrides).get("train.start_from", read_params(base).train.start_from)
    if name is not None:
        pin_start_model(folder, name)


def _keys_of(content: bytes) -> dict[str, Any]:
    """The dotted keys of a file and their values; none if a preset replaced what is no YAML."""
    try:
        return flat(YAML(typ="safe").load(content))
    except (YAMLError, ValueError, AttributeError):
        return {}


def _presets(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted((folder / "presets").glob("*.yaml"))}


def _preset(folder: Path, name: str) -> Path:
    names = sorted(_presets(folder))
    if name not in names:
        raise UserError(f"there is no preset {name!r}: take one of {', '.join(names)}")
    return folder / "presets" / f"{name}.yaml"
