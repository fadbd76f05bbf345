"""Which stages there are, in the order of the graph, and why DVC would run each: `dvc dag` and `dvc status` tell."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from colorizer.core.errors import UserError
from colorizer.models.commands import reason_in
from pipeline.process.children import Child, Children, StoppedError
from pipeline.process.dvc_command import dvc_batch

_MOST_PARTS = 5  # of a reason


@dataclass(frozen=True, kw_only=True)
class PlannedStage:
    """A stage, the stages whose outputs it reads, and why DVC would run it now: empty if it would not.

    `recorded_params` are those of its last run as dvc.lock has them, by file; only a run of this stage changes them.
    """

    name: str
    upstream: list[str]
    reason: str
    recorded_params: Mapping[str, Mapping[str, Any]]


_begun: dict[tuple[str, ...], Child] = {}


def begin_plan(folder: Path, targets: Sequence[str]) -> None:
    """Start DVC while Prefect is being imported; the next `read_plan` of the same targets takes what it finds."""
    _begun[str(folder), *targets] = _start(folder, targets)


def read_plan(folder: Path, children: Children, targets: Sequence[str] = ()) -> list[PlannedStage]:
    """List the target stages with all they depend on, or every stage without targets, upstream stages first.

    Waits for another DVC that is at work in `folder`. Raises UserError with DVC's own message, for example about an
    unknown target, and StoppedError if the run is stopped meanwhile.
    """
    key = (str(folder), *targets)
    printed = _read(_begun.pop(key) if key in _begun else _start(folder, targets), children)
    changes, upstream = _parse_status(printed), _parse_graph(printed)
    if unknown := [target for target in targets if target not in upstream]:
        raise UserError(f"{unknown[0]} is not a stage: take some of {', '.join(upstream)}")
    wanted = set(_with_upstream(targets or list(upstream), upstream))
    recorded = _recorded_params(folder / "dvc.lock")
    return [
        PlannedStage(
            name=name,
            upstream=upstream[name],
            reason=_reason(folder, changes.get(name, []), recorded.get(name, {})),
            recorded_params=recorded.get(name, {}),
        )
        for name in TopologicalSorter(upstream).static_order()
        if name in wanted
    ]


def status_of(stage: PlannedStage) -> list[str]:
    """The command by which DVC tells why it would run this stage: needed when others have run since the plan."""
    return ["status", "--json", stage.name]


def is_status(line: str) -> bool:
    """Whether `dvc status --json` has printed this line as its answer, and not as a warning."""
    return line.startswith("{")


def read_reason(folder: Path, stage: PlannedStage, status: str) -> str:
    """Why DVC would run this stage, from its answer to `status_of`; empty if it would not."""
    return _reason(folder, json.loads(status).get(stage.name, []), stage.recorded_params)


def _start(folder: Path, targets: Sequence[str]) -> Child:
    with_deps = ["--with-deps"] if targets else []
    return _start_dvc(folder, ["status", "--json", *with_deps, "--", *targets], ["dag", "--dot"])


def _start_dvc(folder: Path, *commands: Sequence[str]) -> Child:
    return Child(dvc_batch(*commands), folder=folder, environment={})


def _read(child: Child, children: Children) -> list[str]:
    """Wait for its end; the lines that it printed."""
    lines = []
    for line in child.lines(tick=0.5):
        if line:
            lines.append(line)
        elif children.are_stopped:
            child.stop()
    code = child.wait()
    if child.was_stopped:
        raise StoppedError("stopped while DVC looked for changes")
    if code:
        raise UserError(reason_in(lines))
    return lines


def _parse_status(printed: Sequence[str]) -> dict[str, list[Any]]:
    return json.loads(next(line for line in reversed(printed) if is_status(line)))


def _parse_graph(printed: Sequence[str]) -> dict[str, list[str]]:
    """From the DOT language, each stage's upstream stages. What `dvc add` brought is no stage."""
    text = "\n".join(printed)
    upstream: dict[str, list[str]] = {
        name: [] for name in re.findall(r'^"([^"]+)";$', text, re.MULTILINE) if not name.endswith(".dvc")
    }
    for before, after in re.findall(r'^"([^"]+)" -> "([^"]+)";$', text, re.MULTILINE):
        if before in upstream:
            upstream[after].append(before)
    return upstream


def _with_upstream(names: Sequence[str], upstream: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for name in names:
        yield name
        yield from _with_upstream(upstream[name], upstream)


def _recorded_params(lock: Path) -> dict[str, Mapping[str, Mapping[str, Any]]]:
    stages = YAML(typ="safe").load(lock)["stages"] if lock.exists() else {}
    return {name: stage.get("params", {}) for name, stage in stages.items()}


def _reason(folder: Path, changes: Sequence[Any], recorded: Mapping[str, Mapping[str, Any]]) -> str:
    """DVC's account of what changed, in a line: `train.epochs 16 -> 17, modified colorizer/core`."""
    params, others = [], []
    for change in changes:
        if isinstance(change, str):  # "changed command", for example
            others.append(change)
            continue
        for path, how in (item for paths in change.values() for item in paths.items()):
            if isinstance(how, str):
                others.append(f"{how} {path}")
            elif path in recorded:  # else nothing to compare with: the stage has never run
                params += _changed_params(folder / path, how, recorded[path])
    parts = [*params, *others] or ["params.yaml"] * bool(changes)
    more = f" and {len(parts) - _MOST_PARTS + 1} more" if len(parts) > _MOST_PARTS else ""
    return ", ".join(parts[: _MOST_PARTS - 1 if more else _MOST_PARTS]) + more


def _changed_params(file: Path, keys: Sequence[str], recorded: Mapping[str, Any]) -> list[str]:
    from settings.params_file import flat  # takes its time, which `begin_plan` must not wait for

    content = flat(YAML(typ="safe").load(file))
    before = flat({key: recorded[key] for key in keys if key in recorded})
    now = {name: value for name, value in content.items() for key in keys if f"{name}.".startswith(f"{key}.")}
    return [f"{name} {before.get(name)} -> {now[name]}" for name in now if before.get(name) != now[name]]
