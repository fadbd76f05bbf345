"""Runs that are started, validated and cancelled over the API, as its pages and schedules do."""

import signal
import subprocess
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import psutil
import pytest
from prefect.client.schemas.responses import DeploymentResponse

from colorizer.core.errors import UserError
from pipeline.deployments import refuse_other_workspace
from pipeline.process.flow_run import workspace_tag
from settings.params_file import read_params
from tests.support.disturbed import ask_for_training, newest_epoch, running, training_process, wait_until
from tests.support.prefect_server import PrefectServer
from tests.support.workspace import BIN, Workspace

SERVE = (str(BIN / "python"), "-m", "pipeline", "serve")


def test_a_deployed_run_is_started_cancelled_and_goes_on(committed, prefect):
    ask_for_training(committed)
    committed.edit_params(epochs="300", keep="last 1")
    serving = serve(committed, prefect)
    described = deployment(prefect, committed)
    assert described["global_concurrency_limit"] is None  # would end a run that pauses for a review
    parameters = described["parameter_openapi_schema"]["properties"]
    assert parameters["overrides"]["description"].startswith("single params, `{")

    with pytest.raises(httpx.HTTPStatusError, match="409"):
        start_run(prefect, committed, targets=["train"], push="perhaps")

    run = start_run(prefect, committed, targets=["train"])
    wait_until(lambda: newest_epoch(committed) >= 1 or has_ended(prefect, run), pause=0.2)
    training = training_process(committed)
    training.suspend()  # so that it does not take the cores from the second run
    waiting = start_run(prefect, committed, targets=["train"], overrides={"train.epochs": 299})
    wait_until(lambda: "waiting for its end" in prefect.logs(waiting), pause=0.2)
    training.resume()
    prefect.ask(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    assert not running([training], seconds=10)
    wait_until(lambda: has_ended(prefect, run), pause=0.2)
    assert prefect.run(run)["state"]["type"] == "CANCELLED"

    wait_until(lambda: "train: resuming after epoch" in prefect.logs(waiting) or has_ended(prefect, waiting), pause=0.2)
    assert not has_ended(prefect, waiting), committed.printed
    started = psutil.Process(serving.pid).children(recursive=True)
    serving.send_signal(signal.SIGTERM)
    assert not running(started, seconds=30)
    serving.wait()


def test_a_copy_of_a_served_project_takes_over_what_it_brought_along(monkeypatch, tmp_path):
    before, copy = tmp_path / "first" / "project", tmp_path / "project"
    before.mkdir(parents=True)
    brought = DeploymentResponse(name="project", flow_id=uuid4(), tags=[workspace_tag(before)])
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "of-both"))
    with pytest.raises(UserError, match=r"the name project belongs to workspace:.*first/project: choose another"):
        refuse_other_workspace(brought, "rebuild", copy)
    monkeypatch.setenv("PREFECT_HOME", str(copy / "scratch" / "prefect"))
    refuse_other_workspace(brought, "rebuild", copy)


@pytest.mark.thorough
def test_schedules_outlast_a_restart_and_workspaces_on_one_server_do_not_mix(committed, prefect, tmp_path):
    first, second = committed.copy(tmp_path / "first"), committed.copy(tmp_path / "second, too")
    occupied = tmp_path / "runner_storage"  # which another user of this machine has
    occupied.touch()
    end(serve(first, prefect, TMPDIR=str(tmp_path)))
    weekly = {"schedule": {"cron": "0 3 * * 1", "timezone": "Europe/Berlin"}, "active": False}
    prefect.ask(f"deployments/{deployment(prefect, first)['id']}/schedules", [weekly])
    both = [serve(first, prefect), serve(second, prefect)]
    again = first.run(*SERVE, check=False, **prefect.environment)
    assert again.stdout.startswith("pipeline: this workspace is being served already")
    [kept] = deployment(prefect, first)["schedules"]
    schedule = kept["schedule"]
    assert (schedule["cron"], schedule["timezone"], kept["active"]) == ("0 3 * * 1", "Europe/Berlin", False)

    epochs = {first: 7, second: 8}
    runs = [
        start_run(prefect, workspace, targets=["sample"], overrides={"train.epochs": number})
        for workspace, number in epochs.items()
    ]
    wait_until(lambda: all(has_ended(prefect, run) for run in runs), pause=0.2)
    for workspace, number in epochs.items():
        assert read_params(workspace.path / "params.yaml").train.epochs == number

    namesake = committed.copy(tmp_path / "elsewhere" / "first")
    refused = namesake.run(*SERVE, check=False, **prefect.environment)
    assert refused.returncode == 1
    assert f"the name first belongs to workspace:{first.path}: choose another" in refused.stdout
    for serving in both:
        end(serving)
    late = start_run(prefect, first, targets=["sample"], overrides={"train.epochs": 9})
    first.path.rename(tmp_path / "gone")
    serving = serve(namesake, prefect)  # which takes the name over
    wait_until(lambda: has_ended(prefect, late), pause=0.2)
    end(serving)
    state = prefect.run(late)["state"]
    assert (state["type"], state["message"].partition(",")[0]) == (
        "FAILED",
        f"this run is meant for workspace:{first.path}",
    )
    assert read_params(namesake.path / "params.yaml") == read_params(committed.path / "params.yaml")


def deployment(prefect: PrefectServer, workspace: Workspace) -> dict[str, Any]:
    return prefect.ask(f"deployments/name/rebuild/{quote(workspace.path.name)}", method="GET")


def start_run(prefect: PrefectServer, workspace: Workspace, **parameters: object) -> str:
    """Start `rebuild` in a workspace that is served, over the API; returns the id of the run."""
    path = f"deployments/{deployment(prefect, workspace)['id']}/create_flow_run"
    return prefect.ask(path, {"parameters": parameters})["id"]


def has_ended(prefect: PrefectServer, run: str) -> bool:
    return prefect.run(run)["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def serve(workspace: Workspace, prefect: PrefectServer, **environment: str) -> subprocess.Popen:
    serving = workspace.start(*SERVE, **prefect.environment, **environment)
    wait_until(lambda: "being served" in workspace.printed or serving.poll() is not None)
    assert serving.poll() is None, workspace.printed
    return serving


def end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)


def test_a_worker_of_a_pool_carries_out_the_deployments_of_prefect_yaml(committed, prefect, tmp_path):
    # The command has no other way to know the password, and draws boxes beyond ASCII.
    terminal = {"PREFECT_API_AUTH_STRING": prefect.password, "PYTHONIOENCODING": "utf-8"}

    def run(*arguments: str) -> str:
        return committed.run(str(BIN / "prefect"), *arguments, **prefect.environment, **terminal).stdout

    run("work-pool", "create", "colorization", "--type", "process")
    assert "'refresh/pool' successfully created" in " ".join(run("--no-prompt", "deploy", "--all").split())
    worker = committed.start(
        *(str(BIN / "prefect"), "worker", "start", "--pool", "colorization"),
        **prefect.environment | terminal | {"TMPDIR": str(tmp_path)},
    )
    assert "finished successfully" in run(
        "deployment", "run", "rebuild/pool", "--watch", "--param", 'targets=["train"]'
    )
    assert "8 unchanged" in committed.printed
    end(worker)
