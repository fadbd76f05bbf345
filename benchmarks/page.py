"""The page in a real browser: from the drop of a photograph to its colours, the slider, ten visitors, memory.

    python -m benchmarks.page                    # of this working tree
    python -m benchmarks.page --before FOLDER    # beside an earlier one, in turn: another clone, with its model

Server and browser run on this machine and share its cores. The photograph is a built-in one, enlarged to 12 megapixels,
with grain, as a grey JPEG. It is another one at every drop.
"""

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from colorizer.data.sample import built_in_photographs

ROUNDS, VISITORS = 5, 10
SIZE = 4000, 3000  # pixels
MOVES = (0.5, 1.5, 0.8, 1.2, 0.3, 1.7, 0.6)  # of the slider
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")

# Milliseconds since 1970, by the browser's clock, from what a person does until the coloured picture is drawn.
SCRIPT = """
window.coloured = () => [...document.querySelectorAll(".slider-wrap img")].at(-1);
window.changed = (earlier) => new Promise(done => {
    const look = () => {
        const image = coloured();
        if (image && image.src && image.src !== earlier && image.complete && image.naturalWidth)
            image.decode().then(() => requestAnimationFrame(() => done(Date.now())), look);
        else setTimeout(look, 2);
    };
    look();
});
window.watch = () => {
    window.places = new Set();
    const input = document.querySelector("input[type=file]");
    input.addEventListener("change", () => { window.droppedAt = Date.now(); }, {capture: true, once: true});
    const place = setInterval(() => document.querySelectorAll("[data-testid=status-tracker] .progress-text").forEach(
        text => { const found = /queue: [0-9]+.[0-9]+/.exec(text.innerText); if (found) places.add(found[0]); }), 20);
    window.shown = changed(coloured()?.src).then(at => { clearInterval(place); return at; });
};
window.move = (to) => {
    const slider = document.querySelector("input[type=range]"), earlier = coloured().src, started = Date.now();
    slider.value = to;
    slider.dispatchEvent(new Event("input", {bubbles: true}));
    slider.dispatchEvent(new PointerEvent("pointerup", {bubbles: true}));
    return changed(earlier).then(at => at - started);
};
"""


@dataclass(frozen=True)
class App:
    name: str
    url: str
    process: subprocess.Popen

    def memory(self) -> float:
        """Largest resident memory since the last `forget`, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6

    def forget(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="a clone of an earlier commit, with a model")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--visitors", type=int, default=VISITORS)
    options = parser.parse_args()
    folders = ({"before": options.before} if options.before else {}) | {"after": Path.cwd()}
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark.")))
        photographs = write_photographs(place)
        apps = [stack.enter_context(running(name, folder.resolve())) for name, folder in folders.items()]
        playwright = stack.enter_context(sync_playwright())
        found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        alone(browser, apps, photographs, options.rounds)
        for app in apps:
            together(browser, app, photographs, options.visitors)
        browser.close()


def alone(browser: Browser, apps: list[App], photographs: Iterator[Path], rounds: int) -> None:
    """One visitor: the first drop, which loads the model, is not counted."""
    pages = {app.name: open_page(browser, app) for app in apps}
    drops: dict[str, list[float]] = {app.name: [] for app in apps}
    moves: dict[str, list[float]] = {app.name: [] for app in apps}
    for number in range(rounds + 1):
        for name, page in pages.items():
            seconds = drop(page, next(photographs))
            moved = [page.evaluate("to => move(to)", to) for to in (MOVES if name == "after" else MOVES[:2])]
            if number:
                drops[name].append(seconds)
                moves[name] += moved
    print("| what | " + " | ".join(pages) + " |\n|---|" + "---:|" * len(pages))
    cells = [f"{statistics.median(drops[name]):.2f} ({min(drops[name]):.2f})" for name in pages]
    print(f"| drop until the picture is coloured, s: median (best) of {rounds} | {' | '.join(cells)} |")
    cells = [f"{statistics.median(moves[name]):.0f} ({min(moves[name]):.0f})" for name in pages]
    print(f"| slider moved until the picture has changed, ms | {' | '.join(cells)} |", flush=True)
    for page in pages.values():
        page.context.close()


def together(browser: Browser, app: App, photographs: Iterator[Path], visitors: int) -> None:
    """Visitors who drop a photograph at the same time."""
    pages = [open_page(browser, app) for _ in range(visitors)]
    given = [next(photographs) for _ in pages]
    app.forget()
    memory = app.memory()
    started = time.time()
    for page, path in zip(pages, given, strict=True):
        page.evaluate("watch()")
        with page.expect_request("**/queue/join*"):  # when it is in the queue, the next one comes
            page.locator("input[type=file]").first.set_input_files(path)
    shown = [page.evaluate("shown") / 1000 - started for page in pages]
    for page, path in zip(pages, given, strict=True):
        page.get_by_text(f"{path.name}: ").wait_for()  # the caption: each has its own
    places = [sorted(page.evaluate("[...places]")) for page in pages]
    print(f"\n{app.name}: {visitors} visitors at once")
    print(f"coloured after {', '.join(f'{seconds:.1f}' for seconds in shown)} s, in the order of their coming")
    print(
        f"in this order: {shown == sorted(shown)}; saw their place: {sum(map(bool, places))}, the last one {places[-1]}"
    )
    print(f"memory of the server: {memory:.0f} MB before, {app.memory():.0f} MB at most", flush=True)
    for page in pages:
        page.context.close()


def open_page(browser: Browser, app: App) -> Page:
    page = browser.new_context(viewport={"width": 1200, "height": 950}).new_page()
    page.set_default_timeout(300_000)
    page.add_init_script(SCRIPT)
    page.goto(app.url)
    page.locator("input[type=file]").first.wait_for(state="attached")
    page.get_by_text("Strength of the colours").wait_for()
    return page


def drop(page: Page, photograph: Path) -> float:
    """Seconds from the drop until the coloured picture is drawn."""
    if page.locator("button[aria-label='Clear']").count():
        page.locator("button[aria-label='Clear']").first.click()
        page.wait_for_function("!coloured()")
    page.evaluate("watch()")
    page.locator("input[type=file]").first.set_input_files(photograph)
    return page.evaluate("shown.then(at => at - droppedAt)") / 1000


def write_photographs(folder: Path) -> Iterator[Path]:
    pixels = next(pixels for name, pixels in built_in_photographs() if name == "china.jpg")
    image = Image.fromarray(pixels).convert("L").resize(SIZE, Image.Resampling.BICUBIC)
    random = np.random.default_rng(0)
    for number in count(1):
        grain = np.roll(random.normal(0, 4, SIZE[::-1]).astype(np.float32), number)
        path = folder / f"photograph-{number}.jpg"
        Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)).save(path, quality=90)
        yield path


@contextmanager
def running(name: str, folder: Path) -> Iterator[App]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "colorizer", "app", "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, encoding="utf-8")
    try:
        assert process.stdout
        assert "open http" in process.stdout.readline(), "the page did not start"
        yield App(name, f"http://127.0.0.1:{port}", process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


if __name__ == "__main__":
    main()
