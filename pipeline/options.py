"""Check what stands on the command line, and read --set, --grid and --candidate, whose values are in YAML."""

import sys
from collections.abc import Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from colorizer.core.errors import UserError


def refuse_undecodable(texts: Sequence[str]) -> None:
    """Raise UserError about arguments and paths that are no text, which Prefect and DVC could not write."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            encoding = sys.getfilesystemencoding()
            advice = "rename it" if encoding == "utf-8" else "`export PYTHONUTF8=1`"
            raise UserError(
                f"{text} has letters that the encoding of this locale ({encoding}) lacks: {advice}"
            ) from error


def parse_settings(option: str, example: str, settings: list[str]) -> dict[str, Any]:
    """`KEY=VALUE` texts, the values in YAML."""
    parsed = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        try:
            if not key or not equals:
                raise ValueError("nothing to set")
            parsed[key] = YAML(typ="safe").load(value)
        except (ValueError, YAMLError) as error:
            raise UserError(f"{option} {setting}: write KEY=VALUE, `{example}` for example") from error
    return parsed


def parse_candidate(text: str) -> dict[str, Any]:
    """`{KEY: VALUE, ...}` in YAML."""
    try:
        settings = YAML(typ="safe").load(text)
    except YAMLError:
        settings = None
    if not isinstance(settings, dict):
        raise UserError(
            f"--candidate {text}: write {{KEY: VALUE}}, `{{train.epochs: 3, train.l1_pretrain_epochs: 2}}` for example"
        )
    return settings
