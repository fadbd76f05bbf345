"""A Prefect server to report to: the one that PREFECT_API_URL names, or a temporary one that ends with this process."""

import base64
import os
import socket
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from colorizer.core.errors import UserError
from pipeline.process.children import Child

LOOPBACK = "127.0.0.1"
SECONDS_TO_START = 120


@contextmanager
def connected(folder: Path, *, stay: bool = False) -> Iterator[Callable[[], None]]:
    """Provide a server until the block ends; enter it before `prefect` is imported. Gives a function that waits for it.

    One that is started here takes a free port; with `stay`, that of PREFECT_API_URL or prefect.toml. Raises UserError
    when PREFECT_API_URL names a server that does not answer, or the one that is started here does not.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")  # what Prefect's programs look at; its server reads prefect.toml
    if password := os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        os.environ.setdefault("PREFECT_API_AUTH_STRING", password)
    url = os.environ.get("PREFECT_API_URL") or tomllib.loads((folder / "prefect.toml").read_text())["api"]["url"]
    address = urlsplit(url)
    if answers(url):
        os.environ["PREFECT_API_URL"] = url
        _refuse_wrong_password(url, os.environ.get("PREFECT_API_AUTH_STRING", ""))
        yield lambda: None
    elif stay and address.hostname in (LOOPBACK, "localhost") and address.port:
        with temporary_server(folder, address.port) as wait:
            yield wait
    elif "PREFECT_API_URL" in os.environ:
        raise UserError(f"no Prefect server answers at {url}: start it, or unset PREFECT_API_URL for a temporary one")
    else:
        with temporary_server(folder, free_port()) as wait:
            yield wait


@contextmanager
def temporary_server(folder: Path, port: int) -> Iterator[Callable[[], None]]:
    """Run a server on loopback until the block ends, in whatever way; its log is logs/prefect-server.log.

    PREFECT_API_URL names it from here on. What this gives waits until it answers, and raises UserError if it does not.
    """
    page = f"http://{LOOPBACK}:{port}"
    os.environ["PREFECT_API_URL"] = f"{page}/api"
    log = folder / "logs" / "prefect-server.log"
    log.parent.mkdir(exist_ok=True)
    print(f"starting a Prefect server at {page} ...", file=sys.stderr, flush=True)
    with log.open("w") as output:
        server = Child(
            [sys.executable, "-m", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(port)],
            folder=folder,
            environment={"PREFECT_UI_API_URL": f"{page}/api", "PREFECT_SERVER_UI_V2_ENABLED": "false"},
            output=output,
        )

    def wait() -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while not answers(f"{page}/api"):
            if not server.is_alive() or time.monotonic() > deadline:
                last = (log.read_text(errors="replace").strip() or "nothing").splitlines()[-1].strip()
                raise UserError(f"the Prefect server did not start; the end of {log.relative_to(folder)}: {last}")
            time.sleep(0.1)

    try:
        yield wait
    finally:
        server.stop()
        server.wait()


def answers(url: str) -> bool:
    """True if a Prefect server answers at `url` within 5 seconds."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def _refuse_wrong_password(url: str, password: str) -> None:
    authorization = f"Basic {base64.b64encode(password.encode()).decode()}"
    request = urllib.request.Request(f"{url}/admin/version", headers={"Authorization": authorization})
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except urllib.error.HTTPError as error:
        if error.code == 401:
            raise UserError(
                f"the Prefect server at {url} wants {'another' if password else 'a'} password: set "
                "PREFECT_SERVER_API_AUTH_STRING to that with which it was started"
            ) from None
        raise


def free_port() -> int:
    """Find a port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]
