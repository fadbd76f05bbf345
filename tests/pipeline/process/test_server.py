"""What is said when no Prefect server can be started."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pipeline.process.server import free_port, make_home
from tests.support.imports import ROOT
from tests.support.workspace import BIN, Workspace

PIPELINE = (str(BIN / "python"), "-m", "pipeline")


@pytest.mark.parametrize("command", ["rebuild", "serve"])
def test_another_folder_is_refused_and_left_as_it_is(tmp_path, command):
    result = Workspace(tmp_path).run(*PIPELINE, command, check=False, PYTHONPATH=str(ROOT))
    assert (result.returncode, result.stdout) == (
        1,
        f"pipeline: {tmp_path / 'prefect.toml'} is missing: start this in the project's folder\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_the_server_is_made_in_a_fresh_clone(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_HOME", "")
    monkeypatch.delenv("PREFECT_HOME")
    make_home(tmp_path)
    assert os.environ["PREFECT_HOME"] == str(tmp_path / "scratch" / "prefect")
    assert (tmp_path / "scratch" / "prefect").is_dir()


def test_a_free_port_is_none_that_an_outgoing_connection_may_take_meanwhile():
    assert all(free_port() < 32_768 for _ in range(20))  # where Linux begins; macOS and Windows do at 49,152


def test_a_damaged_database_is_named(committed, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "prefect.db").write_text("this is no database, however long it may be", encoding="utf-8")
    result = committed.run(*PIPELINE, "rebuild", "locate", PREFECT_HOME=str(tmp_path / "home"), check=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stdout
    assert (
        "did not start: sqlalchemy.exc.DatabaseError: (sqlite3.DatabaseError) file is not a database" in result.stdout
    )
    assert f"its files: {tmp_path / 'home'}" in result.stdout


@contextmanager
def another_server(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """A program that is not Prefect's server, until the block ends; yields its port of loopback."""
    with HTTPServer(("127.0.0.1", 0), handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        yield other.server_port
        other.shutdown()


def test_a_port_that_another_program_has_is_named(committed):
    with another_server(BaseHTTPRequestHandler) as port:
        url = f"http://127.0.0.1:{port}/api"
        result = committed.run(*PIPELINE, "serve", PREFECT_API_URL=url, check=False)
    assert (result.returncode, result.stdout.count("\n")) == (1, 1)
    assert f"port {port} of 127.0.0.1 is not available (another program listens there)" in result.stdout


class HealthyAlone(BaseHTTPRequestHandler):
    """Says that it is healthy, and hangs up when it is asked anything else."""

    def do_GET(self):
        if self.path.endswith("/health"):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"true")

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_that_hangs_up_is_one_line(committed):
    with another_server(HealthyAlone) as port:
        url = f"http://127.0.0.1:{port}/api"
        result = committed.run(*PIPELINE, "rebuild", PREFECT_API_URL=url, check=False)
    assert result.returncode == 1
    assert result.stdout.startswith(f"pipeline: the Prefect server at {url} takes connections but does not answer (")
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize(
    "url", ["nonsense", "http://127.0.0.1:port/api", "http://127.0.0.1:99999/api", "http://[::1/api"]
)
def test_what_is_no_address_of_a_server_is_refused_in_one_line(committed, url):
    result = committed.run(*PIPELINE, "serve", PREFECT_API_URL=url, check=False)
    assert (result.returncode, result.stdout) == (
        1,
        f"pipeline: '{url}' is no address of a Prefect server: it is like http://127.0.0.1:4200/api\n",
    )
