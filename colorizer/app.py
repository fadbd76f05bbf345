"""A page in the browser: drop photographs, compare before and after, download them at full size.

Runs offline: neither the page nor the server asks another host.
"""

import os
import shutil
import socket
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path

from PIL import Image

from colorizer.colorizing import Colorizer
from colorizer.decoding import read_photograph
from colorizer.errors import UserError
from colorizer.models import Model, load_model
from colorizer.photographs import named, thumbnail, write_photograph
from colorizer.registry import find_model, models_at_hand
from colorizer.sample import built_in_photographs

LOGIN = "COLORIZER_LOGIN"  # this environment variable, NAME:PASSWORD, is asked of whoever opens the page
MAX_UPLOAD_MEGABYTES = 100
_PREVIEW = 1600  # pixels: the longer side of what the page shows
_SECONDS_KEPT = 3600
_EXAMPLES = ("china.jpg", "flower.jpg", "astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


@dataclass(frozen=True, kw_only=True)
class Coloured:
    """Files of one coloured photograph: small ones to look at, the full size to download."""

    before: Path
    after: Path
    full: Path
    caption: str


def colour(photograph: Path, model: str, strength: float, folder: Path) -> Coloured:
    """Colour a file into a new folder inside `folder`. Raises UserError for a bad photograph or model."""
    started = time.monotonic()
    loaded = load_at_hand(model)
    original = read_photograph(photograph)
    coloured = Colorizer(model=loaded, size=loaded.facts.training_size, strength=strength)(original)
    out = Path(tempfile.mkdtemp(dir=folder))
    full = named(out / photograph.name, "png")
    write_photograph(full, coloured, "png")
    height, width = original.size
    (out / "small").mkdir()
    before, after = out / "small" / "before.png", out / "small" / "after.png"
    for path, shown in ((before, original), (after, coloured)):
        thumbnail(shown, _PREVIEW).save(path, compress_level=1)
    seconds = time.monotonic() - started
    return Coloured(
        before=before,
        after=after,
        full=full,
        caption=f"{photograph.name}: {width} x {height} px, model of epoch {loaded.facts.epoch}, {seconds:.1f} s",
    )


def load_at_hand(name: str) -> Model:
    """By its path or registered name. Raises UserError when it is not among the models at hand, or damaged."""
    if name not in models_at_hand(Path.cwd()).values():  # no other file of this machine
        raise UserError(f"{name} is not among the models at hand")
    path = find_model(Path.cwd(), name)
    return _load_file(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _load_file(path: Path, modified: int) -> Model:
    return load_model(path)


def write_examples(folder: Path) -> list[Path]:
    """The built-in photographs without their colours."""
    folder.mkdir()
    paths = []
    for name, pixels in built_in_photographs():
        if name in _EXAMPLES:
            paths.append(folder / Path(name).with_suffix(".png"))
            Image.fromarray(pixels).convert("L").save(paths[-1])
    return paths


def remove_old(folder: Path) -> None:
    """Remove what was coloured long ago."""
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > _SECONDS_KEPT:
            shutil.rmtree(path, ignore_errors=True)


def check_access(host: str) -> tuple[str, str] | None:
    """Name and password that the page asks for, if any. Raises UserError when others could reach it without."""
    login = os.environ.get(LOGIN, "")
    name, _, password = login.partition(":")
    if login and not (name and password):
        raise UserError(f"{LOGIN} has to be NAME:PASSWORD")
    if not login and not _is_loopback(host):
        raise UserError(f"--host {host} lets others in: set {LOGIN}=NAME:PASSWORD for the page to ask of them")
    return (name, password) if login else None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _check_port(host: str, port: int) -> None:
    """Gradio takes seconds before it finds out."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise UserError(
            f"port {port} of {host} cannot be had ({reason}): choose another with --port or --host"
        ) from error


def run_app(host: str, port: int) -> None:
    """Serve the page until interrupted. Raises UserError when there is no model or the port is taken."""
    login = check_access(host)
    if not models_at_hand(Path.cwd()):
        raise UserError("there is no model yet: train one with `make repro`, or fetch one with `dvc pull`")
    _check_port(host, port)
    # Before Gradio is imported: it looks up its vendors' hosts otherwise.
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory(prefix="colorizer-") as temporary:
        folder = Path(temporary)
        os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
        results = folder / "results"
        results.mkdir()
        from colorizer.page import build_page

        page = build_page(results, write_examples(folder / "examples"))
        page.launch(
            server_name=host,
            server_port=port,
            auth=login,
            max_file_size=f"{MAX_UPLOAD_MEGABYTES}mb",
            allowed_paths=[str(folder)],
            footer_links=["api"],
            ssr_mode=False,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
        )
        print(f"colorizer: open http://{host}:{port} (Ctrl-C ends it)", flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
        page.close(verbose=False)
