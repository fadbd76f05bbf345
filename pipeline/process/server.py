"""A Prefect server to report to: the one that PREFECT_API_URL names, or a temporary one that ends with this process."""

import base64
import http.client
import os
import random
import re
import socket
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from colorizer.core.errors import UserError
from colorizer.models.environment import bypass_proxies, refuse_taken_port
from pipeline.process.children import Child

LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = (LOOPBACK, "localhost")
SECONDS_TO_START = 120
_PORTS = range(20_000, 32_768)  # systems give outgoing connections those above
_SECONDS_TO_ANSWER = 60  # a server that is busy takes its time
HOME = Path("scratch", "prefect")


@contextmanager
def connected(folder: Path, *, stay: bool = False) -> Iterator[Callable[[], None]]:
    """Provide a server until the block ends; enter it before `prefect` is imported. Gives a function that waits for it.

    One that is started here takes a free port; with `stay`, that of PREFECT_API_URL or prefect.toml. Raises UserError
    when PREFECT_API_URL names a server that does not answer, or the one that is started here does not.
    """
    bypass_proxies()
    os.environ.setdefault("DO_NOT_TRACK", "1")  # what Prefect's programs look at; its server reads prefect.toml
    if password := os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
        os.environ.setdefault("PREFECT_API_AUTH_STRING", password)
    settings = settings_of(folder)
    url = os.environ.get("PREFECT_API_URL") or tomllib.loads(settings.read_text(encoding="utf-8"))["api"]["url"]
    host, port = _address(url)
    if answers(url):
        os.environ["PREFECT_API_URL"] = url
        _refuse_wrong_password(url, os.environ.get("PREFECT_API_AUTH_STRING", ""))
        yield lambda: None
    elif stay and host in LOOPBACK_NAMES and port:
        with temporary_server(folder, port) as wait:
            yield wait
    elif "PREFECT_API_URL" in os.environ:
        raise UserError(f"no Prefect server answers at {url}: start it, or unset PREFECT_API_URL for a temporary one")
    else:
        with temporary_server(folder, free_port()) as wait:
            yield wait


def settings_of(folder: Path) -> Path:
    """Return the file of Prefect's settings. Raises UserError when `folder` is not the project's."""
    settings = folder / "prefect.toml"
    if not settings.exists():
        raise UserError(f"{settings} is missing: start this in the project's folder")
    return settings


def _address(url: str) -> tuple[str, int | None]:
    """Host and port of a server's URL."""
    try:
        address = urlsplit(url)
        if address.scheme in ("http", "https") and address.hostname:
            return address.hostname, address.port
    except ValueError:
        pass
    raise UserError(f"{url!r} is no address of a Prefect server: it is like http://127.0.0.1:4200/api")


@contextmanager
def temporary_server(folder: Path, port: int) -> Iterator[Callable[[], None]]:
    """Run a server on loopback until the block ends, in whatever way; its log is logs/prefect-server.log.

    Its database is in scratch/prefect/, so that it does not migrate that of the user's other projects, or in
    PREFECT_HOME if that is set. PREFECT_API_URL names the server from here on. What this gives waits until the server
    answers, and raises UserError if it does not.
    """
    refuse_taken_port(LOOPBACK, port, f"choose another one, for example PREFECT_API_URL=http://{LOOPBACK}:4300/api")
    page = f"http://{LOOPBACK}:{port}"
    os.environ["PREFECT_API_URL"] = f"{page}/api"
    make_home(folder)
    log = folder / "logs" / "prefect-server.log"
    log.parent.mkdir(exist_ok=True)
    print(f"starting a Prefect server at {page} ...", file=sys.stderr, flush=True)
    with log.open("w", encoding="utf-8") as output:
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
                raise UserError(
                    f"the Prefect server did not start: {_reason(log)} (its log: {log.relative_to(folder)}; its "
                    f"files: {os.environ['PREFECT_HOME']})"
                )
            time.sleep(0.1)

    try:
        yield wait
    finally:
        server.stop()
        server.wait()


def make_home(folder: Path) -> None:
    """Make the folder of the server's files, which Prefect does only where that above it is there."""
    home = Path(os.environ.setdefault("PREFECT_HOME", str(folder / HOME)))
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{home} cannot be made for Prefect: {(error.strerror or '').lower()}") from error


def _reason(log: Path) -> str:
    """The last error that the server met, without the line in which it says that it stopped; else its last line."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Exit): ", line)]
    return next(reversed(errors or list(filter(str.strip, lines))), f"no answer in {SECONDS_TO_START} s").strip()


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
        urllib.request.urlopen(request, timeout=_SECONDS_TO_ANSWER).close()
    except urllib.error.HTTPError as error:
        if error.code == 401:
            raise UserError(
                f"the Prefect server at {url} wants {'another' if password else 'a'} password: set "
                "PREFECT_SERVER_API_AUTH_STRING to that with which it was started"
            ) from None
        raise
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"the Prefect server at {url} takes connections but does not answer ({error})") from None


def free_port() -> int:
    """Find a port of loopback that nobody listens at, below those that systems give to outgoing connections."""
    for port in random.SystemRandom().sample(_PORTS, k=100):
        with suppress(OSError), socket.socket() as probe:
            probe.bind((LOOPBACK, port))
            return port
    raise UserError(f"no port of {LOOPBACK} is free for a Prefect server: start one, and name it in PREFECT_API_URL")
