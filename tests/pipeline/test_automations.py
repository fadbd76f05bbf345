"""The automations of docs/automations/, created by the guide's commands, and fired by a failure and by a kill -9."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil

from pipeline.process.flow_run import workspace_tag
from tests.pipeline.test_deployments import serve, start_run
from tests.support.disturbed import ask_for_training, running, wait_until
from tests.support.imports import ROOT
from tests.support.prefect_server import PrefectServer
from tests.support.rebuilding import REBUILD, run_id
from tests.support.workspace import Workspace

GUIDE = (ROOT / "docs" / "prefect.md").read_text(encoding="utf-8")


def test_a_run_that_dies_is_marked_as_crashed_and_failures_send_messages(committed, prefect, tmp_path):
    watched = Workspace(committed.path.rename(tmp_path / "watched"))  # its deployments are named after the folder
    watch_closely(watched)
    with inbox() as (address, texts):
        for commands in re.findall(r"```sh\n([^`]*prefect automation create[^`]*)```", GUIDE):
            told = re.sub(r"https://[^'\"]*", address, commands)
            password = {"PREFECT_API_AUTH_STRING": prefect.password, "PYTHONIOENCODING": "utf-8"}
            assert "Created automation" in watched.run("bash", "-ec", told, **prefect.environment, **password).stdout

        ask_for_training(watched)
        serving = serve(watched, prefect)
        died = start_run(prefect, watched, targets=["train"])
        wait_until(lambda: has_sent_heartbeat(prefect, died), pause=0.2)
        processes = [psutil.Process(serving.pid), *psutil.Process(serving.pid).children(recursive=True)]
        for process in processes:  # the runner first, which would tell the server of the end of a run
            process.kill()
        assert not running(processes, seconds=5)

        watched.edit_params(epochs="0")
        failed = run_id(watched.run(*REBUILD, check=False, **prefect.environment).stdout)
        wait_until(lambda: all(any(run in text for text in texts) for run in (died, failed)), pause=0.2)
    assert prefect.run(died)["state"]["type"] == "CRASHED"
    [of_died], [of_failed] = ([text for text in texts if run in text] for run in (died, failed))
    assert "Crashed\nno heartbeat came any more" in of_died
    assert f"Failed\n{watched.path}/params.yaml: train.epochs: Input should be greater than or equal to 1" in of_failed
    assert f"\n{prefect.url}/runs/flow-run/{failed}" in of_failed


def watch_closely(workspace: Workspace) -> None:
    """Change the automation that misses heartbeats: 10 seconds, the shortest, would end the runs of other tests."""
    path = workspace.path / "docs" / "automations" / "mark-crashed-runs.yaml"
    text = path.read_text(encoding="utf-8")
    assert "  within: 100  #" in text
    here = f"match_related: {{prefect.resource.id: 'prefect.tag.{workspace_tag(workspace.path)}'}}"
    path.write_text(text.replace("  within: 100  #", f"  {here}\n  within: 10  #"), encoding="utf-8")


def has_sent_heartbeat(prefect: PrefectServer, run: str) -> bool:
    wanted = {"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": {"id": [f"prefect.flow-run.{run}"]}}
    return prefect.ask("events/filter", {"filter": wanted})["total"] > 0


@contextmanager
def inbox() -> Iterator[tuple[str, list[str]]]:
    """A place that takes messages as chat services do: its address, and the texts that arrive."""
    texts: list[str] = []

    class Inbox(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Inbox) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", texts
        server.shutdown()
