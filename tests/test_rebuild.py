"""Rebuilding under Prefect, with a real server and the real stages."""

import re

import pytest

from tests.prefect_server import PrefectServer
from tests.workspace import BIN, Workspace

PYTHON = str(BIN / "python")


@pytest.fixture
def workspace(miniature, tmp_path) -> Workspace:
    """Everything has run and is committed."""
    workspace = miniature.copy(tmp_path / "clone")
    workspace.git("add", "--all")
    workspace.git("commit", "--quiet", "--message=miniature")
    return workspace


def run_id(printed: str) -> str:
    found = re.search(r"runs/flow-run/([-0-9a-f]{36})", printed)
    assert found, printed
    return found[1]


def stage_table(prefect: PrefectServer, run: str) -> dict[str, dict[str, str]]:
    import json

    return {row["stage"]: row for row in json.loads(prefect.artifacts(run)["stages"]["data"])}


def test_the_run_tells_ran_restored_and_unchanged_apart_and_why(workspace, prefect):
    result = workspace.run(PYTHON, "-m", "pipeline", "rebuild", **prefect.environment)
    run = run_id(result.stdout)
    assert prefect.run(run)["state"]["message"] == "8 unchanged"
    assert {task["state"]["name"] for task in prefect.task_runs(run).values()} == {"Unchanged"}

    settings = ["--set", "train.learning_rate=0.002", "--set", "evaluate.sheet_images=3"]
    result = workspace.run(PYTHON, "-m", "pipeline", "rebuild", *settings, **prefect.environment)
    run = run_id(result.stdout)
    tasks = prefect.task_runs(run)
    assert {name: task["state"]["name"] for name, task in tasks.items()} == dict.fromkeys(
        ["sample", "locate", "load", "split", "concatenate", "normalize"], "Unchanged"
    ) | {"train": "Ran", "evaluate": "Ran"}
    assert tasks["train"]["state"]["message"] == "train.learning_rate 0.0006 -> 0.002"
    print(prefect.logs(run))
    print(stage_table(prefect, run))
    print({k: str(v)[:300] for k, v in prefect.artifacts(run).items()})
    assert 0
