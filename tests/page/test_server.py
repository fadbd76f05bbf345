"""The page of `python -m colorizer app`, in a real browser, behind its login. Nobody asks another host."""

import io
import json
import re
import shutil
import signal
import socket
import subprocess
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from colorizer.core.errors import UserError
from colorizer.core.lab import codes_to_rgb, mean_chroma, rgb_to_codes
from colorizer.data.sample import built_in_photographs
from colorizer.page.server import LOGIN, check_access
from colorizer.page.votes import read_votes
from pipeline.process.server import free_port
from tests.support.browser import BROWSER, open_page
from tests.support.colorizer_command import run_colorizer
from tests.support.disturbed import wait_until
from tests.support.model_file import save_hinted
from tests.support.workspace import BIN, Workspace

MODEL = "models/generator.safetensors"
HINTED = "models/checkpoints/epoch-0009.safetensors"

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
    workspace: Workspace


@pytest.fixture(scope="module")
def app(miniature, pretrained, tmp_path_factory) -> Iterator[App]:
    """Its model has a pretrained encoder, the checkpoints have not; the last of them takes hints."""
    folder = tmp_path_factory.mktemp("app")
    workspace = miniature.copy(folder / "workspace")
    (workspace.path / MODEL).unlink()
    shutil.copy(pretrained, workspace.path / MODEL)
    shutil.copy(save_hinted(folder), workspace.path / HINTED)
    (folder / "audit").mkdir()
    (folder / "audit" / "sitecustomize.py").write_text(AUDIT, encoding="utf-8")
    port = free_port()
    nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "socks5://127.0.0.1:9", "ALL_PROXY": "socks://x:9"}
    process = start(workspace, port, PYTHONPATH=str(folder / "audit"), ASKED=str(folder / "asked"), **nowhere)
    yield App(f"http://127.0.0.1:{port}", folder / "asked", workspace)
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


needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on the PATH")


@contextmanager
def open_app(app: App) -> Iterator[Page]:
    with open_page(app.url) as page:
        page.fill("input[type=text]", "tests")
        page.fill("input[type=password]", "something secret")
        page.get_by_role("button", name="Login").click()
        yield page


def picture(page: Page, image: Locator) -> np.ndarray:
    """RGB (H, W, 3) uint8."""
    response = page.request.get(image.evaluate("image => image.src"))
    return np.asarray(Image.open(io.BytesIO(response.body())).convert("RGB"))


@needs_browser
def test_a_person_colours_photographs(app, photograph, tmp_path):
    photograph = photograph.rename(tmp_path / "after.jpg")  # what the page itself calls one of its files
    (tmp_path / "broken.jpg").write_text("not a photograph", encoding="utf-8")
    with open_app(app) as page:
        page.locator(".grid-container button").first.click()  # an example
        page.get_by_text("512 x 512 px, model of epoch").wait_for()
        page.locator("button[aria-label='Clear']").first.click()

        page.locator("input[type=file]").first.set_input_files(photograph)
        page.get_by_text("after.jpg: 123 x 77 px, model of epoch").wait_for()
        before, after = (
            picture(page, image)
            for image in page.locator(".slider-wrap img, [data-testid=slider] img, .image-container img").all()[:2]
        )
        assert np.ptp(before.astype(int), axis=-1).max() == 0
        assert np.ptp(after.astype(int), axis=-1).mean() > 0.2
        assert chroma(full_size(page)) == pytest.approx(chroma(after), rel=0.2)

        shown = page.locator(".slider-wrap img").last
        earlier = shown.get_attribute("src")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.method))
        page.get_by_label("range slider for Strength").fill("2")  # moved, and not let go
        expect(shown).not_to_have_attribute("src", earlier)
        page.get_by_label("range slider for Strength").dispatch_event("pointerup")
        page.wait_for_timeout(300)
        assert asked == ["POST", "GET"]  # another request at the same time would keep the server from this one
        stronger = picture(page, shown)
        assert chroma(stronger) > 1.3 * chroma(after)
        assert chroma(full_size(page)) == pytest.approx(chroma(stronger), rel=0.2)

        page.get_by_label("Model").click()
        page.get_by_role("option", name="epoch-0001").click()
        page.get_by_text("123 x 77 px, model of epoch 1,").wait_for()

        page.locator("input[type=file]").first.set_input_files(tmp_path / "broken.jpg")
        page.get_by_text("broken.jpg is not a JPEG, PNG, WebP, TIFF, HEIC or AVIF photograph").wait_for()


def chroma(pixels: np.ndarray) -> float:
    return mean_chroma(rgb_to_codes(pixels))


def full_size(page: Page) -> np.ndarray:
    """RGB of what the button downloads."""
    with page.expect_download() as download:
        page.get_by_text("Download after.png").click()
    assert download.value.suggested_filename == "after.png"
    page.get_by_text("Download after.png").wait_for()  # meanwhile the button says what it does
    with Image.open(download.value.path()) as image:
        assert (image.format, image.size, image.mode) == ("PNG", (123, 77), "RGB")
        return np.asarray(image)


@needs_browser
def test_a_person_colours_several_photographs(app, photograph, tmp_path):
    """All results in one ZIP, under their names; the size at which the network sees them can be chosen."""
    (tmp_path / "other").mkdir()
    same_name, broken = tmp_path / "other" / "old photograph.heic", tmp_path / "broken.avif"
    Image.open(photograph).resize((40, 30)).save(same_name, format="HEIF")
    broken.write_text("not a photograph", encoding="utf-8")
    with open_app(app) as page:
        page.locator("input[type=file]").first.set_input_files([photograph, broken, same_name])
        page.get_by_text("old photograph.heic: 40 x 30 px, model of epoch").wait_for()
        at_training_size = zipped(page)
        assert {name: image.size for name, image in at_training_size.items()} == {
            "old photograph.png": (123, 77),
            "old photograph-2.png": (40, 30),
        }
        first = page.locator("#all-photographs img").first
        earlier = first.get_attribute("src")
        page.get_by_label("range slider for Strength").fill("2")
        page.get_by_label("range slider for Strength").dispatch_event("pointerup")
        expect(first).not_to_have_attribute("src", earlier)

        desktop = page.viewport_size
        for size in (desktop, {"width": 390, "height": 844}):
            page.set_viewport_size(size)
            assert pictures_in_sight(page) == [True] * 8  # six to try, two results
        page.set_viewport_size(desktop)
        page.get_by_label("Shorter side at which the network sees it").click()
        page.get_by_role("option", name="128 px").click()
        page.get_by_text(re.compile("old photograph.heic: .* seen at 128 px")).wait_for()
        at_128 = zipped(page)
    assert at_128.keys() == at_training_size.keys()
    name = "old photograph.png"
    assert (np.asarray(at_128[name]) != np.asarray(at_training_size[name])).any()


def pictures_in_sight(page: Page) -> list[bool]:
    """Of each picture in a gallery, whether the gallery shows all of it."""
    return page.evaluate("""[...document.querySelectorAll(".grid-container button")].map(picture => {
        const all = picture.closest(".grid-wrap").getBoundingClientRect(), own = picture.getBoundingClientRect();
        return 0 < own.width && own.right <= all.right && own.bottom <= all.bottom;
    })""")


def zipped(page: Page) -> dict[str, Image.Image]:
    with page.expect_download() as download:
        page.get_by_text("Download all 2 as ZIP").click()
    assert download.value.suggested_filename == "coloured.zip"
    with zipfile.ZipFile(download.value.path()) as archive:
        return {name: Image.open(io.BytesIO(archive.read(name))) for name in archive.namelist()}


@needs_browser
def test_a_person_gives_hints(app, photograph, tmp_path):
    """By clicks and by a table; the download is what the command writes with that table."""
    with open_app(app) as page:
        page.locator("input[type=file]").first.set_input_files(photograph)
        page.get_by_role("tab", name="Hints").click()
        page.get_by_text("This model takes no hints. To train one that does, set").wait_for()
        assert not page.get_by_role("button", name="Undo the last").is_visible()
        page.get_by_label("Model").click()
        page.get_by_role("option", name="epoch-0009").click()
        shown, listed = page.get_by_alt_text("picture with hints"), page.locator("#hints .hints li")
        shown.wait_for()
        before = picture(page, shown)

        point(shown, 0.25, 0.5)
        page.locator("#hints .colors button").last.click()  # a grey
        expect(listed).to_have_text(re.compile(r"^30, 38 #([0-9a-f]{2})\1\1×$"))
        point(shown, 0.75, 0.5)
        page.locator("#hints input[type=color]").fill("#2030c0")
        expect(listed).to_have_count(2)
        page.locator("#hints input[type=color]").fill("#3a6b8f")  # another one for the same place
        expect(listed.last).to_have_text("92, 38 #3a6b8f×")
        after = picture(page, shown)
        assert np.ptp(before[38, 30].astype(int)) > 20 > 8 > np.ptp(after[38, 30].astype(int))
        assert after[38, 92, 2] > after[38, 92, 0]

        with page.expect_download() as download:
            page.get_by_role("button", name="Save as CSV").click()
        assert download.value.suggested_filename == "old photograph-hints.csv"
        table = tmp_path / "hints.csv"
        download.value.save_as(table)
        page.get_by_role("button", name="Undo the last").click()
        expect(listed).to_have_count(1)
        page.locator("#hints .hints button").click()
        expect(listed).to_have_count(0)
        chooser = page.locator("[role=tabpanel] input[type=file][accept='.csv']")
        chooser.set_input_files(table)
        expect(listed.last).to_have_text("92, 38 #3a6b8f×")
        (tmp_path / "bad.csv").write_text("x,y,colour\n1,2,green\n", encoding="utf-8")
        chooser.set_input_files(tmp_path / "bad.csv")
        page.get_by_text("bad.csv, line 2: the colour `green` is none").wait_for()
        expect(listed).to_have_count(2)
        with page.expect_download() as download:
            page.get_by_text("Download old photograph.png").click()
        download.value.save_as(tmp_path / "page.png")
        page.get_by_text("Download old photograph.png").wait_for()
        page.get_by_role("button", name="Remove all").click()
        expect(listed).to_have_count(0)
        assert (picture(page, shown) == before).all()
    model = app.workspace.path / HINTED
    assert run_colorizer("colorize", photograph, "--out", tmp_path / "out", "--model", model, "--hints", table) == 0
    assert (tmp_path / "page.png").read_bytes() == (tmp_path / "out" / "old photograph.png").read_bytes()


def point(shown: Locator, across: float, down: float) -> None:
    """Click on a place of the picture, in shares of its sides."""
    box = shown.bounding_box()
    shown.click(position={"x": box["width"] * across, "y": box["height"] * down})
    shown.page.get_by_text(f"Choose a colour for {int(123 * across)}, {int(77 * down)};").wait_for()


@needs_browser
def test_a_person_judges_blind(app, photograph, photographs):
    table = app.workspace.path / "votes/votes.csv"
    with open_app(app) as page:
        page.get_by_role("tab", name="Judge").click()
        page.get_by_text("the 16 test images of the data here").wait_for()
        page.get_by_role("button", name="Start").click()
        shown = []
        for number, choice in enumerate(["Left", "Right", "Cannot tell"], start=1):
            page.get_by_text(f"Photograph {number}; ").wait_for()
            shown.append({side: picture(page, page.get_by_alt_text(side)) for side in ("left", "right")})
            assert "generator" not in page.locator("body").inner_text()
            page.wait_for_timeout(500)  # sooner it would be a double click
            page.get_by_role("button", name=choice, exact=True).click()
        page.get_by_text("Photograph 4; 3 votes so far").wait_for()
        votes = read_votes(table)
        assert [vote.chosen for vote in votes] == ["left", "right", "neither"]
        for vote, pair in zip(votes, shown, strict=True):
            truth = Image.fromarray(codes_to_rgb(photographs[int(vote.image.removeprefix("test image "))]))
            truth = np.asarray(truth.resize((384, 384), Image.Resampling.BICUBIC))
            assert [(pair[side] == truth).all() for side in pair] == [vote.left == "original", vote.right == "original"]

        page.get_by_role("button", name="Show the result").click()
        page.get_by_text("No difference can be told from 2 votes yet.").wait_for()
        taken_for_real = [vote.winner for vote in votes].count("original")
        counts = page.get_by_role("row", name="this test").get_by_role("cell").all_inner_texts()
        assert counts[1:4] == [str(2 - taken_for_real), str(taken_for_real), "1"]

        page.locator("[role=tabpanel]:visible input[type=file]").set_input_files(photograph)
        page.locator(".file-preview:visible").wait_for()  # before, its name shows that it is on its way
        page.get_by_role("button", name="Start").click()
        page.get_by_text("old photograph.jpg has no colours of its own").wait_for()
        page.get_by_text("All photographs were shown; 0 votes").wait_for()


def test_a_program_colours_photographs(app, photograph, tmp_path):
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    client = Client(app.url, auth=("tests", "something secret"), verbose=False, download_files=str(tmp_path))
    result = client.predict(handle_file(photograph), MODEL, 1.0, api_name="/colorize")
    with Image.open(result) as image:
        assert image.size == (123, 77)
        pixels = np.asarray(image)
    with Image.open(client.predict(handle_file(photograph), MODEL, 1.0, 128, api_name="/colorize")) as image:
        assert image.size == (123, 77)
        assert (np.asarray(image) != pixels).any()
    for size, message in ((15, "a size of 15 is not between 16 and 1024 px"), ("large", "size is 'large'")):
        with pytest.raises(AppError, match=message):
            client.predict(handle_file(photograph), MODEL, 1.0, size, api_name="/colorize")
    told = client.predict(handle_file(photograph), ["60,40=#2030c0"], HINTED, api_name="/colorize_with_hints")
    with Image.open(told) as image:
        assert image.getpixel((60, 40))[2] > image.getpixel((60, 40))[0]
    as_text = client.predict(handle_file(photograph), "60,40=#2030c0", HINTED, api_name="/colorize_with_hints")
    assert Path(as_text).read_bytes() == Path(told).read_bytes()
    for hints, model, message in (
        (["60,40=blue"], HINTED, "the hint `60,40=blue`: the colour `blue` is none: write #rrggbb"),
        (["60,77=#2030c0"], HINTED, "lies outside the picture, which has 123 x 77 px"),
        (["60,40=#2030c0"], MODEL, "this model takes no hints: train one with"),
        ([60, 40], HINTED, "hints have to be texts of the form X,Y=#rrggbb"),
    ):
        with pytest.raises(AppError, match=message):
            client.predict(handle_file(photograph), hints, model, api_name="/colorize_with_hints")
    Image.new("L", (10_001, 10_000)).save(tmp_path / "large.png")
    with pytest.raises(AppError, match=r"large\.png has 10001 x 10000 pixels: at most 100 megapixels on this page; "):
        client.predict(handle_file(tmp_path / "large.png"), MODEL, 1.0, api_name="/colorize")
    with pytest.raises(AppError, match="is not among the models at hand"):
        client.predict(handle_file(photograph), "/etc/passwd", 1.0, api_name="/colorize")


@pytest.fixture
def logged_in(app) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app.url) as client:
        assert client.post("/login", data={"username": "tests", "password": "something secret"}).status_code == 200
        yield client


def test_an_upload_is_coloured_without_the_client(logged_in, photograph):
    [path] = logged_in.post("/gradio_api/upload", files={"files": photograph.read_bytes()}).json()
    assert "event: complete" in call_colorize(logged_in, {"path": path, "meta": {"_type": "gradio.FileData"}})


def call_colorize(client: httpx.Client, photograph: dict) -> str:
    call = client.post("/gradio_api/call/colorize", json={"data": [photograph, MODEL, 1.0, 128]})
    return client.get(f"/gradio_api/call/colorize/{call.json()['event_id']}").text


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("path", ["secret", "https://example.com/x.png", "/nowhere.png", None])
def test_only_uploads_are_read(app, logged_in, photograph, path, marked):
    """Neither other files of this machine, whether they exist or not, nor other hosts."""
    given = {"path": str(photograph) if path == "secret" else path}
    if marked:
        given |= {"meta": {"_type": "gradio.FileData"}}
    answer = call_colorize(logged_in, given)
    assert "event: error" in answer
    assert ".png" not in answer


def test_ten_visitors_at_once_are_served_in_order_and_know_their_place(app, logged_in):
    """As their browsers are told: each gets its own."""
    events = logged_in.get("/config").json()["dependencies"]
    named = ((event, {name for _, name in event["targets"]}) for event in events if event["inputs"])
    [drop] = [event["id"] for event, names in named if {"upload", "clear"} <= names]
    names = [f"{number}.png" for number in range(10)]
    content = io.BytesIO()
    Image.new("L", (1600, 1200)).save(content, "PNG")
    uploads = [("files", (name, content.getvalue() + name.encode())) for name in names]
    paths = logged_in.post("/gradio_api/upload", files=uploads).json()

    def follow(session: str) -> tuple[float, list[int], str]:
        """When it was done, the places in the queue until then, and the caption."""
        places = []
        with logged_in.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}, timeout=120) as lines:
            for line in filter(None, lines.iter_lines()):
                message = json.loads(line.removeprefix("data: "))
                if message["msg"] == "estimation":
                    places.append(message["rank"])
                elif message["msg"] == "process_completed":
                    return time.monotonic(), places, message["output"]["data"][3]
        raise AssertionError(places)

    with ThreadPoolExecutor(len(names)) as threads:
        visitors = []
        for name, path in zip(names, paths, strict=True):
            given = [{"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}]
            event = {"data": [given, MODEL, 1, 0, None], "fn_index": drop, "session_hash": name}
            assert logged_in.post("/gradio_api/queue/join", json=event).is_success
            visitors.append(threads.submit(follow, name))
        done, places, captions = zip(*(visitor.result() for visitor in visitors), strict=True)
    assert [caption.split(":")[0] for caption in captions] == names
    assert list(done) == sorted(done)
    assert all(place == sorted(place, reverse=True) for place in places)
    assert len(set(places[-1])) > 3


def test_no_other_host_is_asked(app):
    """In all that the tests before this one did."""
    hosts = {json.loads(line) for line in app.asked.read_text(encoding="utf-8").splitlines()}
    assert hosts <= {"127.0.0.1", "::1", "localhost"}, hosts


def test_nobody_is_let_in_without_the_password(app):
    assert httpx.get(f"{app.url}/config").status_code == 401
    content = {"data": [{"path": "x", "meta": {"_type": "gradio.FileData"}}, MODEL, 1.0, 0]}
    assert httpx.post(f"{app.url}/gradio_api/call/colorize", json=content).status_code == 401


def test_too_large_an_upload_is_refused(logged_in):
    from colorizer.page.uploads import MAX_UPLOAD_MEGABYTES

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
    assert told == (
        f"colorizer: port {port} of 127.0.0.1 is not available (another program listens there): choose another with "
        "--port or --host\n"
    )
    for path in committed.path.glob("models/**/*.safetensors"):
        path.unlink()
    told = committed.run(*command, port, check=False).stdout
    assert told.startswith(f"colorizer: there is no model in {committed.path} yet: train one with `make repro`")
