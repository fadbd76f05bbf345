"""The artifacts of a run: a table of its stages, its scores beside those of the last commit, the score card."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.states import State

from colorizer.models.commands import git, git_succeeds
from pipeline.process.commands import TOLD_BELOW
from pipeline.workspace.stage_runs import Outcome
from settings.params_file import flat
from settings.paths import METRICS, SCORE_CARD


def publish_stage_table(states: Mapping[str, State[Outcome]]) -> None:
    """Publish the table of stages, outcomes and reasons as an artifact."""
    rows = [_stage_row(name, state) for name, state in states.items()]
    create_table_artifact(rows, key="stages", description="What became of every stage, and why")


def publish_scores(folder: Path) -> None:
    """Publish the workspace's scores and score card as artifacts; do nothing if nothing was scored yet."""
    metrics, card = folder / METRICS, folder / SCORE_CARD
    if metrics.exists():
        now, committed = _metrics(metrics.read_text(encoding="utf-8")), _metrics(_committed(folder, METRICS))
        rows = [{"metric": name, "now": now[name], "last commit": committed.get(name, "")} for name in now]
        create_table_artifact(
            rows, key="metrics", description="Scores on the test images; `validation`: on those that chose the epoch"
        )
    if card.exists():
        create_markdown_artifact(
            f"```\n{card.read_text(encoding='utf-8')}```",
            key="score-card",
            description="The model beside the baselines",
        )


def describe(states: Mapping[str, State[Outcome]]) -> Iterable[str]:
    """A line per stage for a terminal or a log."""
    for row in (_stage_row(name, state) for name, state in states.items()):
        seconds = f"{row['seconds']} s" if row["seconds"] else ""
        yield f"{row['stage']:<12} {row['outcome']:<10} {seconds:>8}  {row['reason']}"


def _stage_row(name: str, state: State[Outcome]) -> dict[str, str]:
    if state.is_completed():
        outcome = state.result()
        return {
            "stage": name,
            "outcome": outcome.result,
            "seconds": f"{outcome.seconds:.1f}",
            "reason": outcome.reason,
        }
    if state.is_pending():
        return {"stage": name, "outcome": "not run", "seconds": "", "reason": "a stage before it did not finish"}
    [first, *_] = (state.message or "").splitlines() or [""]
    reason = first.removeprefix(f"{name} ").removesuffix(TOLD_BELOW)
    return {"stage": name, "outcome": str(state.name).lower(), "seconds": "", "reason": reason}


def _committed(folder: Path, file: Path) -> str:
    committed = f"HEAD:./{file}"
    return git(folder, "show", committed) if git_succeeds(folder, "cat-file", "-e", committed) else "{}"


def _metrics(text: str) -> dict[str, Any]:
    return flat(json.loads(text))
