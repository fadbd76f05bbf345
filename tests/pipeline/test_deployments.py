"""Runs that are started, validated and cancelled over the API, as its pages and schedules do."""

import signal
import subprocess

import httpx
import psutil
import pytest

from tests.support.disturbed import ask_for_training, newest_epoch, training_process, wait_until
from tests.support.prefect_server import PrefectServer
from tests.support.workspace import BIN, Workspace


def test_a_deployed_run_is_started_cancelled_and_goes_on(committed, prefect):
    ask_for_training(committed)
    committed.edit_params(epochs="300", keep="last 1")
    serving = serve(committed, prefect)
    deployment = prefect.ask("deployments/name/rebuild/workspace", method="GET")
    assert deployment["global_concurrency_limit"] is None  # would end a run that pauses for a review
    described = deployment["parameter_openapi_schema"]["properties"]
    assert described["overrides"]["description"].startswith("single params, `{")

    def start(**parameters: object) -> str:
        created = prefect.ask(f"deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
        return created["id"]

    def has_ended(run: str) -> bool:
        return prefect.run(run)["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

    with pytest.raises(httpx.HTTPStatusError, match="409"):
        start(targets=["train"], push="perhaps")

    run = start(targets=["train"])
    wait_until(lambda: newest_epoch(committed) >= 1 or has_ended(run), pause=0.2)
    training = training_process(committed)
    training.suspend()  # so that it does not take the cores from the second run
    waiting = start(targets=["train"], overrides={"train.epochs": 299})
    wait_until(lambda: "waiting for its end" in prefect.logs(waiting), pause=0.2)
    training.resume()
    prefect.ask(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    psutil.wait_procs([training], timeout=10)
    assert not training.is_running()
    wait_until(lambda: has_ended(run), pause=0.2)
    assert prefect.run(run)["state"]["type"] == "CANCELLED"

    wait_until(lambda: "train: resuming after epoch" in prefect.logs(waiting) or has_ended(waiting), pause=0.2)
    assert not has_ended(waiting), committed.printed
    started = psutil.Process(serving.pid).children(recursive=True)
    serving.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(started, timeout=30)
    assert not alive
    serving.wait()


def test_schedules_outlast_a_restart(committed, prefect):
    deployment = "deployments/name/refresh/workspace"
    end(serve(committed, prefect))
    weekly = {"schedule": {"cron": "0 3 * * 1", "timezone": "Europe/Berlin"}, "active": False}
    prefect.ask(f"deployments/{prefect.ask(deployment, method='GET')['id']}/schedules", [weekly])
    serving = serve(committed, prefect)
    second = committed.run(str(BIN / "python"), "-m", "pipeline", "serve", check=False, **prefect.environment)
    assert second.stdout.startswith("pipeline: this workspace is being served already")
    end(serving)
    [kept] = prefect.ask(deployment, method="GET")["schedules"]
    assert (kept["schedule"]["cron"], kept["schedule"]["timezone"], kept["active"]) == (
        "0 3 * * 1",
        "Europe/Berlin",
        False,
    )


def serve(workspace: Workspace, prefect: PrefectServer) -> subprocess.Popen:
    serving = workspace.start(str(BIN / "python"), "-m", "pipeline", "serve", **prefect.environment)
    wait_until(lambda: "being served" in workspace.printed or serving.poll() is not None)
    assert serving.poll() is None, workspace.printed
    return serving


def end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)


def test_a_worker_of_a_pool_carries_out_the_deployments_of_prefect_yaml(committed, prefect):
    password = {"PREFECT_API_AUTH_STRING": prefect.password}  # the command has no other way to know it

    def run(*arguments: str) -> str:
        return committed.run(str(BIN / "prefect"), *arguments, **prefect.environment, **password).stdout

    run("work-pool", "create", "colorization", "--type", "process")
    assert "'refresh/pool' successfully created" in " ".join(run("--no-prompt", "deploy", "--all").split())
    worker = committed.start(
        str(BIN / "prefect"), "worker", "start", "--pool", "colorization", **prefect.environment, **password
    )
    assert "finished successfully" in run(
        "deployment", "run", "rebuild/pool", "--watch", "--param", 'targets=["train"]'
    )
    assert "6 unchanged" in committed.printed
    end(worker)
