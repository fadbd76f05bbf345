"""Serves the page in the browser: drop photographs, compare before and after, download them at full size.

Runs offline: neither the page nor the server asks another host.
"""

import os
import tempfile
import threading
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from colorizer.core.errors import UserError
from colorizer.models.environment import bypass_proxies, refuse_taken_port
from colorizer.models.registry import MODEL_PATH, models_at_hand
from colorizer.page.coloring import write_examples
from colorizer.page.previews import Previews

LOGIN = "COLORIZER_LOGIN"  # this environment variable, NAME:PASSWORD, is asked of whoever opens the page

# The columns of a gallery become as narrow as a telephone needs; Gradio's would be cut off.
_CSS = ".grid-container { grid-template-columns: repeat(var(--grid-cols), minmax(0, 1fr)) !important }"


def check_access(host: str) -> tuple[str, str] | None:
    """Read name and password for the page from the environment variable LOGIN; None without it.

    Raises UserError when it is malformed, or missing although `host` lets other machines in.
    """
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


def serve(host: str, port: int) -> None:
    """Serve the page until interrupted. Raises UserError when there is no model or the port is taken."""
    login = check_access(host)
    if not models_at_hand(Path.cwd()):
        raise UserError(
            f"there is no model in {Path.cwd()} yet: train one with `make repro`, fetch one with `dvc pull`, or copy "
            f"one to {MODEL_PATH}"
        )
    refuse_taken_port(host, port, "choose another with --port or --host")  # Gradio finds out only after seconds
    bypass_proxies(host)  # Gradio calls the page once
    # Before Gradio is imported: it looks up its vendors' hosts otherwise.
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory(prefix="colorizer-") as temporary:
        folder = Path(temporary)
        os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
        results = folder / "results"
        results.mkdir()
        from gradio import processing_utils

        from colorizer.page.page import build_page
        from colorizer.page.uploads import MAX_UPLOAD_MEGABYTES, fetch_nothing

        # Whoever gave an address in the place of an upload would make this server ask other hosts.
        processing_utils.async_ssrf_protected_download = fetch_nothing
        previews, examples = Previews(results), write_examples(folder / "examples")
        page = build_page(results, examples, previews)
        page.launch(
            server_name=host,
            server_port=port,
            auth=login,
            max_file_size=f"{MAX_UPLOAD_MEGABYTES}mb",
            allowed_paths=[str(folder)],
            css=_CSS,
            footer_links=["api"],
            ssr_mode=False,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
        )
        threading.Thread(target=_warm_up, args=(previews, examples[0]), daemon=True).start()
        print(f"colorizer: open http://{host}:{port} (Ctrl-C ends it)", flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
        page.close(verbose=False)


def _warm_up(previews: Previews, photograph: Path) -> None:
    """Colour a photograph that nobody waits for: the first visitor would wait until the model is loaded."""
    with suppress(UserError):  # whoever takes that model is told
        previews.of(photograph, next(iter(models_at_hand(Path.cwd()).values())), 0)
