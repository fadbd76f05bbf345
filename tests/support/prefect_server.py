"""A Prefect server for the tests, and asking its API."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from pipeline.process.children import GUARD
from pipeline.process.server import free_port
from tests.support.imports import ROOT
from tests.support.workspace import make_once

ALIVE = "TESTS_ALIVE"  # names a pipe that is open for writing as long as the tests run

PASSWORD = "tests:something secret"

_guards: list[subprocess.Popen] = []  # nobody waits for them


@dataclass(frozen=True)
class PrefectServer:
    """A server that answers nobody without the password, and what clients have to be told."""

    url: str
    home: Path
    password = PASSWORD

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PREFECT_API_URL": f"{self.url}/api",
            "PREFECT_HOME": str(self.home),
            "PREFECT_SERVER_API_AUTH_STRING": self.password,
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",  # instead of 10 seconds, until runs are found and cancelled
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }

    def ask(self, path: str, content: Any = None, *, method: str = "POST") -> Any:
        """Call the API and return the answer; tries again while the database is busy, as Prefect's own client does."""
        for _ in range(50):
            response = httpx.request(
                method, f"{self.url}/api/{path}", json=content, auth=tuple(self.password.split(":"))
            )
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(0.2)
        response.raise_for_status()
        return response.json() if response.content else None

    def run(self, run: str) -> dict[str, Any]:
        """A flow run, by its id."""
        return self.ask(f"flow_runs/{run}", method="GET")

    def task_runs(self, run: str) -> dict[str, dict[str, Any]]:
        """The task runs of a flow run, by the names of the tasks."""
        found = self.ask("task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
        return {task["name"]: task for task in found}

    def artifacts(self, run: str) -> dict[str, dict[str, Any]]:
        """The artifacts of a flow run, by key."""
        found = self.ask("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}})
        return {artifact["key"]: artifact for artifact in found}

    def events(self, prefix: str) -> list[dict[str, Any]]:
        """The events whose name begins with `prefix`, the oldest first."""
        found = self.ask("events/filter", {"filter": {"event": {"prefix": [prefix]}, "order": "ASC"}})
        return found["events"]

    def logs(self, run: str) -> str:
        found = self.ask("logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"})
        return "\n".join(entry["message"] for entry in found)


def new_home(folder: Path, prefect: PrefectServer) -> Path:
    """A home for another server, with an empty database, which takes ten seconds to make anew."""
    shutil.copytree(prefect.home.with_name("prefect-empty"), folder)
    return folder


def running_server(folder: Path) -> PrefectServer:
    """The server that keeps its things in `folder`: started by the first who asks, ended with the tests."""
    home, address = folder / "prefect", folder / "prefect.url"

    def start() -> None:
        home.mkdir()
        address.write_text(start_server(home).url, encoding="utf-8")
        shutil.copytree(home, folder / "prefect-empty")

    make_once(home, start)
    return PrefectServer(address.read_text(encoding="utf-8"), home)


@dataclass(frozen=True)
class StartedServer:
    url: str
    guard: subprocess.Popen

    def kill(self) -> None:
        for process in psutil.Process(self.guard.pid).children(recursive=True):
            process.kill()
        self.guard.wait()


def start_guarded(command: Sequence[str], log: Path, settings: Mapping[str, str] = {}) -> subprocess.Popen:
    """Start a command under a guard, which ends it when the tests are over, also when they are killed."""
    alive = os.open(os.environ[ALIVE], os.O_RDONLY | os.O_NONBLOCK)
    with log.open("w", encoding="utf-8") as printed:
        guard = subprocess.Popen(
            [sys.executable, str(GUARD), *command],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdin=alive,
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )
    os.close(alive)
    return guard


def start_server(home: Path) -> StartedServer:
    """A server that answers. A guard ends it when the tests are over, also when they are killed."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    settings = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_UI_API_URL": f"{url}/api",
        "PREFECT_SERVER_API_AUTH_STRING": PASSWORD,
    }
    guard = start_guarded(command, home / "log", settings)
    _guards.append(guard)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and guard.poll() is None:
        try:
            if httpx.get(f"{url}/api/health").status_code in (200, 401):
                return StartedServer(url, guard)
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError((home / "log").read_text(encoding="utf-8"))
