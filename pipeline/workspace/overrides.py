"""Set params before a run, by a preset and by single values. All is checked before anything is written."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from colorizer.core.errors import UserError
from colorizer.core.files import write_text
from settings.params_file import flat, read_params, write_params


def set_params(folder: Path, preset: str | None, overrides: Mapping[str, Any]) -> list[str]:
    """Write a preset, then keys such as `train.epochs`, to params.yaml of the workspace in `folder`.

    Returns what changed, a line each. Raises UserError, with the file as it was, when the result would not be valid.
    """
    target = folder / "params.yaml"
    if not preset and not overrides:
        read_params(target)
        return []
    before = target.read_text(encoding="utf-8") if target.exists() else ""
    base = _preset(folder, preset) if preset else target
    write_params(overrides, target, base=base)
    after = target.read_text(encoding="utf-8")
    then, now = (flat(YAML(typ="safe").load(text) or {}) for text in (before, after))
    lines = [f"params.yaml: {key} {then.get(key)} -> {now[key]}" for key in now if then.get(key) != now[key]]
    if preset and lines and before and before not in _presets(folder).values():
        kept = folder / "scratch" / "params" / f"{hashlib.sha256(before.encode()).hexdigest()[:16]}.yaml"
        write_text(kept, before)
        lines.append(f"params.yaml as it was is kept in {kept.relative_to(folder)}")
    return lines


def _presets(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted((folder / "presets").glob("*.yaml"))}


def _preset(folder: Path, name: str) -> Path:
    names = sorted(_presets(folder))
    if name not in names:
        raise UserError(f"there is no preset {name!r}: take one of {', '.join(names)}")
    return folder / "presets" / f"{name}.yaml"
