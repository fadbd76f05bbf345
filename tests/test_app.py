"""The page of `python -m colorizer app`, in a real browser, behind its login. Nobody asks another host."""

import io
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from colorizer.app import LOGIN, MAX_UPLOAD_MEGABYTES, check_access
from colorizer.errors import UserError
from colorizer.sample import built_in_photographs
from pipeline.server import free_port
from tests.browser import BROWSER, open_page
from tests.disturbed import wait_until
from tests.workspace import BIN, Workspace

MODEL = "models/generator.safetensors"

# Python reads this at its start: every host that is looked up or connected to goes into a file.
AUDIT = """
import json, os, sys
def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        address = arguments[1] if event == "socket.connect" else arguments[0]
        with open(os.environ["ASKED"], "a") as file:
            print(json.dumps(address[0] if isinstance(address, tuple) else str(address)), file=file)
sys.addaudithook(note)
"""


@dataclass(frozen=True)
class App:
    url: str
    asked: Path


@pytest.fixture(scope="module")
def app(miniature, tmp_path_factory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("app")
    workspace = miniature.copy(folder / "workspace")
    (folder / "audit").mkdir()
    (folder / "audit" / "sitecustomize.py").write_text(AUDIT)
    port = free_port()
    process = start(workspace, port, PYTHONPATH=str(folder / "audit"), ASKED=str(folder / "asked"))
    yield App(f"http://127.0.0.1:{port}", folder / "asked")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=4) == 0, workspace.printed


def start(workspace: Workspace, port: int, **environment: str) -> subprocess.Popen:
    command = (str(BIN / "python"), "-m", "colorizer", "app", "--port", str(port))
    process = workspace.start(*command, **environment, **{LOGIN: "tests:something secret"})
    wait_until(lambda: "open http" in workspace.printed or process.poll() is not None)
    assert process.poll() is None, workspace.printed
    return process


@pytest.fixture
def photograph(tmp_path) -> Path:
    """123 x 77 pixels."""
    path = tmp_path / "old photograph.jpg"
    Image.fromarray(dict(built_in_photographs())["china.jpg"]).convert("L").resize((123, 77)).save(path)
    return path


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on the PATH")
def test_a_person_colours_photographs(app, photograph, tmp_path):
    photograph = photograph.rename(tmp_path / "after.jpg")  # what the page itself calls one of its files
    (tmp_path / "broken.jpg").write_text("not a photograph")
    with open_page(app.url) as page:
        page.fill("input[type=text]", "tests")
        page.fill("input[type=password]", "something secret")
        page.get_by_role("button", name="Login").click()

        page.locator(".grid-container button").first.click()  # an example
        page.get_by_text("512 x 512 px, model of epoch").wait_for()
        page.locator("button[aria-label='Clear']").first.click()

        page.locator("input[type=file]").first.set_input_files(photograph)
        page.get_by_text("after.jpg: 123 x 77 px, model of epoch").wait_for()
        before, after = (
            np.asarray(Image.open(io.BytesIO(page.request.get(image.get_attribute("src")).body())).convert("RGB"))
            for image in page.locator(".slider-wrap img, [data-testid=slider] img, .image-container img").all()[:2]
        )
        assert np.ptp(before.astype(int), axis=-1).max() == 0
        assert np.ptp(after.astype(int), axis=-1).mean() > 0.2
        with page.expect_download() as download:
            page.get_by_text("Download after.png").click()
        with Image.open(download.value.path()) as image:
            assert (image.format, image.size, image.mode) == ("PNG", (123, 77), "RGB")

        page.get_by_label("Model").click()
        page.get_by_role("option", name="epoch-0001").click()
        page.get_by_text("123 x 77 px, model of epoch 1,").wait_for()

        page.locator("input[type=file]").first.set_input_files(tmp_path / "broken.jpg")
        page.get_by_text("broken.jpg is not a JPEG, PNG, WebP or TIFF photograph").wait_for()


def test_a_program_colours_photographs(app, photograph, tmp_path):
    client = Client(app.url, auth=("tests", "something secret"), verbose=False, download_files=str(tmp_path))
    result = client.predict(handle_file(photograph), MODEL, 1.0, api_name="/colorize")
    with Image.open(result) as image:
        assert image.size == (123, 77)
    with pytest.raises(AppError, match="is not among the models at hand"):
        client.predict(handle_file(photograph), "/etc/passwd", 1.0, api_name="/colorize")


@pytest.fixture
def logged_in(app) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app.url) as client:
        assert client.post("/login", data={"username": "tests", "password": "something secret"}).status_code == 200
        yield client


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("path", ["secret", "https://example.com/x.png", "/nowhere.png", None])
def test_only_uploads_are_read(app, logged_in, photograph, path, marked):
    """Neither other files of this machine, whether they exist or not, nor other hosts."""
    given = {"path": str(photograph) if path == "secret" else path}
    if marked:
        given |= {"meta": {"_type": "gradio.FileData"}}
    call = logged_in.post("/gradio_api/call/colorize", json={"data": [given, MODEL, 1.0]})
    answer = logged_in.get(f"/gradio_api/call/colorize/{call.json()['event_id']}").text
    assert "event: error" in answer
    assert ".png" not in answer


def test_no_other_host_is_asked(app):
    """In all that the tests before this one did."""
    hosts = {json.loads(line) for line in app.asked.read_text().splitlines()}
    assert hosts <= {"127.0.0.1", "::1", "localhost"}, hosts


def test_nobody_is_let_in_without_the_password(app):
    assert httpx.get(f"{app.url}/config").status_code == 401
    content = {"data": [{"path": "x", "meta": {"_type": "gradio.FileData"}}, MODEL, 1.0]}
    assert httpx.post(f"{app.url}/gradio_api/call/colorize", json=content).status_code == 401


def test_too_large_an_upload_is_refused(logged_in):
    too_large = bytes(MAX_UPLOAD_MEGABYTES * 1_000_000 * 11 // 10)
    assert logged_in.post("/gradio_api/upload", files={"files": too_large}).status_code == 413


def test_others_are_let_in_with_a_password_only(monkeypatch):
    monkeypatch.delenv(LOGIN, raising=False)
    for host in ("127.0.0.1", "localhost", "::1", "127.1.2.3"):
        assert check_access(host) is None
    for host in ("0.0.0.0", "192.168.0.2", "example.org", "::"):
        with pytest.raises(UserError, match=f"--host {host} lets others in: set {LOGIN}=NAME:PASSWORD"):
            check_access(host)
    monkeypatch.setenv(LOGIN, "me:pass:word")
    assert check_access("0.0.0.0") == ("me", "pass:word")
    monkeypatch.setenv(LOGIN, "me")
    with pytest.raises(UserError, match="has to be NAME:PASSWORD"):
        check_access("127.0.0.1")


def test_a_taken_port_and_a_missing_model(committed):
    command = (str(BIN / "python"), "-m", "colorizer", "app", "--port")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        told = committed.run(*command, port, check=False).stdout
    assert told.startswith(f"colorizer: port {port} of 127.0.0.1 cannot be had (address already in use")
    assert told.count("\n") == 1
    for path in committed.path.glob("models/**/*.safetensors"):
        path.unlink()
    told = committed.run(*command, port, check=False).stdout
    assert told == "colorizer: there is no model yet: train one with `make repro`, or fetch one with `dvc pull`\n"
