"""What a flow run has started ends when the run is over for its server, whatever ended it."""

from uuid import UUID

import psutil

from tests.support.disturbed import wait_until
from tests.support.imports import ROOT
from tests.support.workspace import BIN, Workspace

WAITING = """
from pathlib import Path
from prefect import flow
from prefect.runtime import flow_run
from pipeline.process.commands import follow
from pipeline.process.flow_run import stopping_children

@flow
def waiting():
    with stopping_children() as children:
        print(flow_run.get_id(), flush=True)
        print(follow(children, ["sleep", "600"], folder=Path.cwd()), flush=True)

waiting()
"""


def test_children_of_a_run_that_was_marked_as_crashed_are_stopped(tmp_path, prefect):
    """As the automation of docs/prefect.md does with a run whose heartbeat stopped, while its process yet lives."""
    (tmp_path / "project").mkdir()
    project = Workspace(tmp_path / "project")
    settings = prefect.environment | {"PREFECT_API_AUTH_STRING": prefect.password, "PYTHONPATH": str(ROOT)}
    process = project.start(str(BIN / "python"), "-c", WAITING, **settings)

    def sleeping() -> list[psutil.Process]:
        return [child for child in psutil.Process(process.pid).children(recursive=True) if child.name() == "sleep"]

    wait_until(lambda: process.poll() is not None or sleeping())
    assert process.poll() is None, project.printed
    [child] = sleeping()
    [run] = [line for line in project.printed.splitlines() if _is_id(line)]
    crashed = {"state": {"type": "CRASHED", "message": "no heartbeat"}, "force": True}
    assert prefect.ask(f"flow_runs/{run}/set_state", crashed)["status"] == "ACCEPT"
    wait_until(lambda: not child.is_running(), seconds=15)
    wait_until(lambda: "None" in project.printed.splitlines(), seconds=15)
    process.kill()


def _is_id(line: str) -> bool:
    try:
        return bool(UUID(line))
    except ValueError:
        return False
