"""A real browser."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
# Without these it asks its vendor's hosts at every start, whatever page it shows.
_QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


@contextmanager
def open_page(url: str, path: str = "/") -> Iterator[Page]:
    """A page of the server at `url`. Raises AssertionError if any request went to another host."""
    asked: set[str] = set()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu", *_QUIET])
        page = browser.new_page(viewport={"width": 1200, "height": 950})
        page.on("request", lambda request: asked.add(request.url))
        page.on("websocket", lambda socket: asked.add(socket.url.replace("ws", "http", 1)))
        page.add_init_script("localStorage.setItem('color-scheme', '\"light\"')")
        page.set_default_timeout(120_000)  # a server that is busy with other tests may take its time
        page.goto(f"{url}{path}")
        yield page
        browser.close()
    assert asked
    assert not [address for address in asked if not address.startswith((f"{url}/", f"blob:{url}/", "data:"))]


@contextmanager
def open_prefect(url: str, password: str) -> Iterator[Page]:
    """A page that is logged in at the Prefect server at `url`."""
    with open_page(url, "/login") as page:
        page.fill("input[type=password]", password)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{url}/dashboard")
        yield page
