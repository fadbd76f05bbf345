"""Which stages there are, in the order of the graph, and why DVC would run each.

As a program it prints that as JSON, so that DVC is imported in a process of its own:

    python -m pipeline.workspace.plan -- [TARGET...]         the targets and what they depend on; none means all stages
    python -m pipeline.workspace.plan --single -- STAGE...   these alone
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from colorizer.core.errors import UserError
from pipeline.process.children import Child, Children, StoppedError

_REFUSED = 3  # exit code when DVC says why it cannot; any other but 0 is a bug


@dataclass(frozen=True, kw_only=True)
class PlannedStage:
    """`upstream`: the stages whose outputs it reads. `reason`: why DVC would run it now; empty if it would not."""

    name: str
    upstream: list[str]
    reason: str


_begun: dict[tuple[str, ...], Child] = {}


def begin_plan(folder: Path, targets: Sequence[str]) -> None:
    """Let DVC look already, while Prefect is being imported; the next `read_plan` of the same takes what it finds."""
    _begun[str(folder), *targets] = _start(folder, targets)


def read_plan(
    folder: Path, children: Children, targets: Sequence[str] = (), *, single: bool = False
) -> list[PlannedStage]:
    """Ask DVC about the workspace in `folder`, which may wait for another DVC there.

    Raises UserError with DVC's own message, for an unknown target say, StoppedError when the run is stopped meanwhile.
    """
    begun = None if single else _begun.pop((str(folder), *targets), None)
    child = begun or _start(folder, targets, single=single)
    printed = []
    for line in child.lines(tick=0.5):
        if line:
            printed.append(line)
        elif children.are_stopped:
            child.stop()
    code = child.wait()
    if child.was_stopped:
        raise StoppedError("stopped while DVC looked for changes")
    if code == _REFUSED:
        raise UserError(printed[-1])
    assert code == 0, "\n".join(printed)
    return [PlannedStage(**stage) for stage in json.loads(printed[-1])]


def _start(folder: Path, targets: Sequence[str], *, single: bool = False) -> Child:
    command = [sys.executable, "-m", "pipeline.workspace.plan", *(["--single"] if single else []), "--", *targets]
    return Child(command, folder=folder, environment={})


def make_plan(targets: Sequence[str], *, single: bool) -> list[PlannedStage]:
    from dvc.repo import Repo, lock_repo

    with lock_repo(repo := Repo(_wait_for_lock=True)):  # a stage that runs beside this one may be writing dvc.lock
        return _make_plan(repo, targets, single=single)


def _make_plan(repo: Any, targets: Sequence[str], *, single: bool) -> list[PlannedStage]:
    import networkx

    graph = repo.index.graph
    chosen = {stage.addressing for target in targets for stage in repo.stage.collect(target, with_deps=not single)}
    status = repo.status(targets=targets or None, with_deps=bool(targets) and not single)
    return [
        PlannedStage(
            name=stage.addressing,
            upstream=[dep.addressing for dep in graph.successors(stage) if not dep.is_data_source],
            reason=_reason(stage, changes) if (changes := status.get(stage.addressing)) else "",
        )
        for stage in networkx.dfs_postorder_nodes(graph)
        if not stage.is_data_source and (not targets or stage.addressing in chosen)
    ]


def _reason(stage: Any, changes: Sequence[str | dict[str, dict[str, Any]]]) -> str:
    """DVC's account of what changed, in a line: `train.epochs 16 -> 17, modified colorizer/core/lab.py`."""
    parts = _changed_params(stage)
    for change in changes:
        if isinstance(change, str):  # "changed command", for example
            parts.append(change)
        else:
            files = [item for paths in change.values() for item in paths.items()]
            parts += [f"{how} {path}" for path, how in files if isinstance(how, str)]
    if not parts and changes:
        parts.append("params.yaml")
    more = f" and {len(parts) - 4} more" if len(parts) > 5 else ""
    return ", ".join(parts[: 4 if more else 5]) + more


def _changed_params(stage: Any) -> list[str]:
    from dvc.dependency import ParamsDependency

    from settings.params_file import flat

    changed = []
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency) and dep.hash_info:
            before, now = flat(dep.hash_info.value), flat(dep.read_params())
            changed += [f"{key} {before.get(key)} -> {now.get(key)}" for key in now if before.get(key) != now[key]]
    return changed


def _main() -> None:
    from dvc.exceptions import DvcException

    single = sys.argv[1] == "--single"
    try:
        stages = make_plan(sys.argv[sys.argv.index("--") + 1 :], single=single)
    except DvcException as error:
        print(" ".join(str(error).split()))  # one line
        sys.exit(_REFUSED)
    print(json.dumps([asdict(stage) for stage in stages]))


if __name__ == "__main__":
    _main()
