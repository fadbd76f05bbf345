"""Rebuilding under Prefect: a real server and the real stages, disturbed in every way there is."""

import json
import re
import signal
import subprocess
from collections.abc import Callable

import psutil
import pytest

from benchmarks.kill_training import partial_files
from tests.disturbed import ask_for_training, newest_epoch, results, training_process, wait_until
from tests.prefect_server import PrefectServer, new_home, start_server
from tests.workspace import BIN, Workspace

EVERYTHING = (str(BIN / "python"), "-m", "pipeline", "rebuild")
REBUILD = (*EVERYTHING, "train")


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


def start(workspace: Workspace, environment: dict[str, str], epoch: int) -> tuple[subprocess.Popen, str]:
    """A rebuild that has trained this epoch, and its id."""
    process = workspace.start(*REBUILD, **environment)
    wait_until(lambda: process.poll() is not None or newest_epoch(workspace) >= epoch)
    assert process.poll() is None, workspace.printed
    return process, run_id(workspace.printed)


def test_ran_restored_and_unchanged_are_told_apart_and_why(workspace, prefect):
    run = run_id(workspace.run(*EVERYTHING, **prefect.environment).stdout)
    assert prefect.run(run)["state"]["message"] == "8 unchanged"
    tasks = prefect.task_runs(run)
    assert {task["state"]["name"] for task in tasks.values()} == {"Unchanged"}
    assert {before["id"] for before in tasks["train"]["task_inputs"]["after"]} == {
        tasks[name]["id"] for name in ("concatenate", "normalize", "split")
    }

    settings = ("--set", "train.learning_rate=0.002", "--set", "evaluate.sheet_images=3")
    run = run_id(workspace.run(*EVERYTHING, *settings, **prefect.environment).stdout)
    tasks = prefect.task_runs(run)
    assert {name for name, task in tasks.items() if task["state"]["name"] == "Ran"} == {"train", "evaluate"}
    assert tasks["train"]["state"]["message"] == "train.learning_rate 0.0006 -> 0.002"
    logs = prefect.logs(run)
    assert "params.yaml: train.learning_rate 0.0006 -> 0.002" in logs
    assert "epoch 2/2" in logs
    artifacts = {key: artifact["data"] for key, artifact in prefect.artifacts(run).items()}
    table = {row["stage"]: row for row in json.loads(artifacts["stages"])}
    assert list(table) == ["sample", "locate", "load", "split", "concatenate", "normalize", "train", "evaluate"]
    assert table["train"]["outcome"] == "ran"
    assert float(table["train"]["seconds"]) > 1
    [psnr] = [row for row in json.loads(artifacts["metrics"]) if row["metric"] == "model.psnr"]
    assert psnr["now"] != psnr["last commit"] != ""
    assert artifacts["training-progress"] == 100
    assert artifacts["training-sample"].startswith("data:image/jpeg;base64,")
    assert "mean chroma" in artifacts["score-card"]

    workspace.git("checkout", "--quiet", "params.yaml", "dvc.lock", "metrics.json")
    run = run_id(workspace.run(*REBUILD, **prefect.environment).stdout)
    tasks = prefect.task_runs(run)
    assert tasks["train"]["state"]["name"] == "Restored"
    assert "evaluate" not in tasks


def test_bad_settings_stop_before_anything_runs(workspace, prefect):
    params = (workspace.path / "params.yaml").read_bytes()
    for arguments, told in {
        ("--set", "train.epoch=3"): "params.yaml: train.epoch is not a known key: did you mean epochs?",
        ("--preset", "papr"): "there is no preset 'papr': take one of paper, photos64, sample",
        ("trian",): "Stage 'trian' not found inside 'dvc.yaml' file",
        ("--push",): "dvc push failed: failed to push data to the cloud - config file error: no remote",
    }.items():
        result = workspace.run(*REBUILD, *arguments, check=False, **prefect.environment)
        assert result.returncode == 1, arguments
        assert told in prefect.run(run_id(result.stdout))["state"]["message"]
        assert "Traceback" not in result.stdout
        assert (workspace.path / "params.yaml").read_bytes() == params
    result = workspace.run(*REBUILD, "--set", "train.epochs", check=False)
    assert result.stdout == "pipeline: --set train.epochs: write KEY=VALUE, `train.epochs=3` for example\n"


def test_a_stage_that_fails_is_told_and_nothing_after_it_runs(workspace, prefect):
    result = workspace.run(*EVERYTHING, "--set", "train.generator.halvings=7", check=False, **prefect.environment)
    assert result.returncode == 1
    assert "Traceback" not in result.stdout
    run = run_id(result.stdout)
    message = prefect.run(run)["state"]["message"]
    assert message.startswith("train failed with exit code 1. Its last lines:\n")
    assert "train.generator.halvings" in message
    tasks = prefect.task_runs(run)
    assert (tasks["train"]["state"]["name"], tasks["train"]["run_count"]) == ("Failed", 1)
    table = {row["stage"]: row for row in json.loads(prefect.artifacts(run)["stages"]["data"])}
    assert table["evaluate"]["outcome"] == "not run"


def test_a_child_that_is_killed_is_started_again_and_resumes(workspace, prefect, undisturbed):
    ask_for_training(workspace)
    process, run = start(workspace, prefect.environment, epoch=1)
    training_process(workspace).kill()
    assert process.wait() == 0
    assert results(workspace) == undisturbed
    train = prefect.task_runs(run)["train"]
    assert (train["state"]["name"], train["run_count"]) == ("Ran", 2)
    logs = prefect.logs(run)
    assert "train was killed by signal 9" in logs
    assert "train: going on after epoch" in logs


def test_stopped_in_every_way_it_leaves_nothing_running_and_resumes(workspace, prefect, tmp_path):
    ask_for_training(workspace)
    workspace.edit_params(epochs="300", keep="last 1")
    home = {"PREFECT_HOME": str(new_home(tmp_path / "home", prefect))}
    lock = (workspace.path / "dvc.lock").read_bytes()

    def end(environment: dict[str, str], how: Callable[[subprocess.Popen, str], object], seconds: float) -> int:
        before = newest_epoch(workspace)
        process, run = start(workspace, environment, before + 1)
        assert not before or f"train: going on after epoch {before}" in workspace.printed
        started = psutil.Process(process.pid).children(recursive=True)
        assert any("stages.train" in child.cmdline() for child in started)
        how(process, run)
        _, alive = psutil.wait_procs(started, timeout=seconds)
        assert not alive
        assert not partial_files(workspace.path)
        assert (workspace.path / "dvc.lock").read_bytes() == lock
        return process.wait(timeout=60)

    def kill(process: subprocess.Popen, run: str) -> None:
        started = psutil.Process(process.pid).children(recursive=True)
        assert any("prefect" in child.cmdline() for child in started)  # a temporary server
        process.kill()

    def cancel(process: subprocess.Popen, run: str) -> None:
        prefect.ask(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})

    def interrupt(process: subprocess.Popen, run: str) -> None:
        second = workspace.run(*REBUILD, check=False, **prefect.environment)
        assert second.returncode == 1
        assert f"another run (process {process.pid}) is under way" in second.stdout
        process.send_signal(signal.SIGINT)

    assert end(home, kill, seconds=5) == -signal.SIGKILL
    assert end(prefect.environment, cancel, seconds=10) == 1
    assert prefect.run(run_id(workspace.printed))["state"]["type"] == "CANCELLED"
    assert end(prefect.environment, interrupt, seconds=5) == 130
    assert "Traceback" not in workspace.printed
    last = newest_epoch(workspace)
    result = workspace.run(*REBUILD, "--set", f"train.epochs={last + 1}", **prefect.environment)
    assert f"train: going on after epoch {last}" in result.stdout


def test_when_the_server_goes_away_the_work_is_not_lost(workspace, prefect, undisturbed, tmp_path):
    ask_for_training(workspace)
    home = new_home(tmp_path / "home", prefect)
    server = start_server(home)
    process, _ = start(workspace, PrefectServer(server.url, home).environment, epoch=1)
    server.kill()
    assert process.wait(timeout=90) == 1
    assert workspace.printed.endswith("the Prefect server went away; dvc.lock records the stages that ended\n")
    assert results(workspace) == undisturbed
    assert workspace.dvc("status", "train").stdout == "Data and pipelines are up to date.\n"
