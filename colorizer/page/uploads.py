"""Checks what requests hand to the page: uploads, and nothing else."""

import os
from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from colorizer.core.errors import UserError

MAX_UPLOAD_MEGABYTES = 100  # each
MAX_PHOTOGRAPHS = 20  # at a time


def uploaded(name: str | None) -> Path:
    """Check that a path is that of an upload; raises gr.Error otherwise.

    Gradio checks only paths that the request marks as such.
    """
    path = Path(str(name))
    if Path(os.environ["GRADIO_TEMP_DIR"]).resolve() not in path.resolve().parents:
        raise page_error(
            "not the path of an upload: upload the photograph first and use the path that the server returned"
        )
    return path


def refuse_too_many(files: Sequence[str]) -> None:
    """Raise gr.Error for more than MAX_PHOTOGRAPHS files."""
    if len(files) > MAX_PHOTOGRAPHS:
        raise page_error(f"{len(files)} photographs: at most {MAX_PHOTOGRAPHS} at a time")


async def fetch_nothing(url: str, cache_dir: str) -> str:
    """Refuse to download: takes the place of Gradio's function that fetches an address given for an upload."""
    raise page_error("addresses are not fetched: upload the photograph")


def without_folder(error: UserError, path: Path) -> str:
    """Return the message of an error without the folder of the upload, which is nobody's business."""
    return str(error).replace(f"{path.parent}/", "")


def page_error(message: str) -> gr.Error:
    """Make an error to raise, which the page shows and the server does not print."""
    return gr.Error(message, print_exception=False)
