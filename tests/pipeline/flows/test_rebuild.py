"""Rebuilding under Prefect: a real server and the real stages, disturbed in every way there is."""

import csv
import json
import signal
import subprocess
from collections.abc import Callable

import numpy as np
import psutil
import pytest

from benchmarks.kill_training import partial_files
from colorizer.core.errors import UserError
from colorizer.data.raw import write_raw
from pipeline.process.children import Children
from pipeline.workspace.overrides import set_params
from pipeline.workspace.plan import read_plan
from tests.support.disturbed import ask_for_training, newest_epoch, results, running, training_process
from tests.support.prefect_server import PrefectServer, new_home, start_server
from tests.support.rebuilding import EVERYTHING, REBUILD, run_id, start
from tests.support.workspace import UNACTIVATED, skip_beyond_ascii


def test_ran_restored_and_unchanged_are_told_apart_and_why(committed, prefect):
    run = run_id(committed.run(*EVERYTHING, **prefect.environment).stdout)
    assert prefect.run(run)["state"]["message"] == "10 unchanged"
    tasks = prefect.task_runs(run)
    assert {task["state"]["name"] for task in tasks.values()} == {"Unchanged"}
    assert {before["id"] for before in tasks["train"]["task_inputs"]["after"]} == {
        tasks[name]["id"] for name in ("concatenate", "encode", "normalize", "split", "start")
    }

    settings = ("--set", "train.learning_rate=0.002", "--set", "evaluate.sheet_images=2")
    run = run_id(committed.run(*EVERYTHING, *settings, PATH=UNACTIVATED, **prefect.environment).stdout)
    assert committed.dvc("status", "train").stdout == "Data and pipelines are up to date.\n"
    tasks = prefect.task_runs(run)
    assert {name for name, task in tasks.items() if task["state"]["name"] == "Ran"} == {"train", "evaluate"}
    assert tasks["train"]["state"]["message"] == "train.learning_rate 0.0006 -> 0.002"
    logs = prefect.logs(run)
    assert "params.yaml: train.learning_rate 0.0006 -> 0.002" in logs
    assert "epoch 2/2" in logs
    artifacts = {key: artifact["data"] for key, artifact in prefect.artifacts(run).items()}
    table = {row["stage"]: row for row in json.loads(artifacts["stages"])}
    data_stages = ["sample", "locate", "load", "split", "concatenate", "start", "normalize"]
    assert list(table) == [*data_stages, "encode", "train", "evaluate"]
    assert table["train"]["outcome"] == "ran"
    assert float(table["train"]["seconds"]) > 1
    [psnr] = [row for row in json.loads(artifacts["metrics"]) if row["metric"] == "model.psnr"]
    assert psnr["now"] != psnr["last commit"] != ""
    assert artifacts["training-progress"] == 100
    with (committed.path / "reports/history.csv").open(encoding="utf-8", newline="") as file:
        history = list(csv.DictReader(file))
    curves = json.loads(artifacts["training-curves"])
    assert [row["epoch"] for row in curves] == ["2", "1"]
    for shown, recorded in zip(curves, reversed(history), strict=True):
        assert shown.keys() == recorded.keys() - {"warnings"}
        assert shown == {name: recorded[name] and f"{float(recorded[name]):.4g}" for name in shown}
    assert artifacts["training-sample"].startswith("data:image/jpeg;base64,")
    assert "mean chroma" in artifacts["score-card"]

    committed.git("checkout", "--quiet", "params.yaml", "dvc.lock", "metrics.json")
    run = run_id(committed.run(*REBUILD, **prefect.environment).stdout)
    tasks = prefect.task_runs(run)
    assert tasks["train"]["state"]["name"] == "Restored"
    assert "evaluate" not in tasks


@pytest.mark.thorough
def test_the_locale_decides_nothing(committed, prefect):
    skip_beyond_ascii(committed.path)
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    committed.edit_params(evaluate__sheet_images="3")
    run = run_id(committed.run(*EVERYTHING, **prefect.environment, **ascii_only).stdout)
    assert prefect.task_runs(run)["evaluate"]["state"]["name"] == "Ran"
    card = (committed.path / "reports/evaluation/score_card.txt").read_text(encoding="utf-8")
    assert "PSNR dB ↑" in card
    assert card in prefect.artifacts(run)["score-card"]["data"]


def test_bad_settings_stop_before_anything_runs(committed, prefect):
    params = (committed.path / "params.yaml").read_bytes()
    for setting, told in {
        "train.epochs": "--set train.epochs: write KEY=VALUE, `train.epochs=3` for example",
        "train.epoch=3": f"{committed.path}/params.yaml: train.epoch is not a known key: did you mean epochs?",
        "train.start_from=pretrained/none": "pretrained/none is missing, which train.start_from names: put the file "
        "there (`dvc add pretrained/none` shares it)",
    }.items():
        result = committed.run(*REBUILD, "--set", setting, check=False)
        assert result.returncode == 1, setting
        assert result.stdout == f"pipeline: {told}\n"
        assert (committed.path / "params.yaml").read_bytes() == params
    result = committed.run(*REBUILD, "--push", check=False, **prefect.environment)
    assert result.returncode == 1
    told = "dvc push failed: failed to push data to the cloud - config file error: no remote"
    assert told in prefect.run(run_id(result.stdout))["state"]["message"]
    assert "Traceback" not in result.stdout
    with pytest.raises(
        UserError, match="there is no preset 'papr': take one of best, best224, paper, photos64, sample"
    ):
        set_params(committed.path, "papr", {})
    with pytest.raises(UserError, match=r"Stage 'trian' not found inside 'dvc.yaml' file"):
        read_plan(committed.path, Children(), ["trian"])
    assert (committed.path / "params.yaml").read_bytes() == params
    unlocked = prefect.environment | {"PREFECT_SERVER_API_AUTH_STRING": "tests:wrong"}
    result = committed.run(*REBUILD, check=False, **unlocked)
    assert "wants another password: set PREFECT_SERVER_API_AUTH_STRING" in result.stdout
    assert len(result.stdout.splitlines()) == 1


def test_a_stage_that_fails_is_told_and_nothing_after_it_runs(committed, prefect):
    (committed.path / "data").rename(committed.path / "mine")
    write_raw(committed.path / "data", np.full((2, 16, 24, 3), 128, np.uint8))
    committed.edit_params(root="mine")
    result = committed.run(*EVERYTHING, "--set", "train.generator.num_downs=7", check=False, **prefect.environment)
    assert result.returncode == 1
    assert "Traceback" not in result.stdout
    assert "arrays lie in data/ but data.root is mine, so they are not used: set data.root to data" in result.stdout
    run = run_id(result.stdout)
    message = prefect.run(run)["state"]["message"]
    assert message.startswith("train failed with exit code 1. Its last lines:\n")
    assert "train.generator.num_downs" in message
    tasks = prefect.task_runs(run)
    assert (tasks["train"]["state"]["name"], tasks["train"]["run_count"]) == ("Failed", 1)
    table = {row["stage"]: row for row in json.loads(prefect.artifacts(run)["stages"]["data"])}
    assert table["evaluate"]["outcome"] == "not run"


def test_a_child_that_is_killed_is_started_again_and_resumes(committed, prefect, undisturbed):
    ask_for_training(committed)
    process, run = start(committed, prefect.environment, epoch=1)
    training_process(committed).kill()
    assert process.wait() == 0
    assert results(committed) == undisturbed
    train = prefect.task_runs(run)["train"]
    assert (train["state"]["name"], train["run_count"]) == ("Ran", 2)
    logs = prefect.logs(run)
    assert "train was killed by signal 9" in logs
    assert "train: resuming after epoch" in logs


def test_stopped_in_every_way_it_leaves_nothing_running_and_resumes(committed, prefect, tmp_path):
    ask_for_training(committed)
    committed.edit_params(epochs="300", keep="last 1")
    new_home(committed.path / "scratch" / "prefect", prefect)
    nowhere = "http://127.0.0.1:9"
    alone = {
        "HOME": str(tmp_path / "home"),
        "http_proxy": nowhere,
        "https_proxy": "socks5://127.0.0.1:9",
        "ALL_PROXY": "socks://127.0.0.1:9",
        "NO_PROXY": "example.org,::1/128",
    }
    lock = (committed.path / "dvc.lock").read_bytes()

    def end(environment: dict[str, str], how: Callable[[subprocess.Popen, str], object], seconds: float) -> int:
        before = newest_epoch(committed)
        process, run = start(committed, environment, before + 1)
        assert not before or f"train: resuming after epoch {before}" in committed.printed
        started = psutil.Process(process.pid).children(recursive=True)
        assert any("stages.train" in child.cmdline() for child in started)
        how(process, run)
        assert not running(started, seconds=seconds)
        assert not partial_files(committed.path)
        assert (committed.path / "dvc.lock").read_bytes() == lock
        return process.wait(timeout=60)

    def kill(process: subprocess.Popen, run: str) -> None:
        started = psutil.Process(process.pid).children(recursive=True)
        assert any("prefect" in child.cmdline() for child in started)  # a temporary server
        listening = [c for child in started for c in child.net_connections() if c.status == psutil.CONN_LISTEN]
        assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}
        process.kill()

    def cancel(process: subprocess.Popen, run: str) -> None:
        prefect.ask(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})

    def interrupt(process: subprocess.Popen, run: str) -> None:
        training = training_process(committed)
        training.suspend()  # so that it does not take the cores from the second run
        second = committed.run(*REBUILD, check=False, **prefect.environment)
        training.resume()
        assert second.returncode == 1
        assert f"another run (process {process.pid}) is under way" in second.stdout
        process.send_signal(signal.SIGINT)

    assert end(alone, kill, seconds=5) == -signal.SIGKILL
    assert not (tmp_path / "home" / ".prefect" / "prefect.db").exists()  # of the user's other projects
    assert end(prefect.environment, cancel, seconds=10) == 1
    assert prefect.run(run_id(committed.printed))["state"]["type"] == "CANCELLED"
    assert end(prefect.environment, interrupt, seconds=5) == 130
    assert committed.printed.endswith("pipeline: interrupted; the next run goes on from what is finished\n")
    assert "Traceback" not in committed.printed
    last = newest_epoch(committed)
    result = committed.run(*REBUILD, "--set", f"train.epochs={last + 1}", **alone)
    assert f"train: resuming after epoch {last}" in result.stdout
    assert "Error logging to API" not in result.stdout  # the temporary server got the last lines too


@pytest.mark.thorough
def test_when_the_server_goes_away_the_work_is_not_lost(committed, prefect, undisturbed, tmp_path):
    ask_for_training(committed)
    home = new_home(tmp_path / "home", prefect)
    server = start_server(home)
    process, _ = start(committed, PrefectServer(server.url, home).environment, epoch=1)
    server.kill()
    assert process.wait(timeout=90) == 1
    assert committed.printed.endswith("the Prefect server went away; dvc.lock records the stages that ended\n")
    assert results(committed) == undisturbed
    assert committed.dvc("status", "train").stdout == "Data and pipelines are up to date.\n"
