"""What the page takes from whoever uses it: uploads, and nothing else."""

import os
from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from colorizer.core.errors import UserError

MAX_UPLOAD_MEGABYTES = 100  # each
MAX_PHOTOGRAPHS = 20  # at a time


def uploaded(name: str | None) -> Path:
    """Gradio checks only paths that the request marks as such; this refuses all that is not an upload."""
    path = Path(str(name))
    if Path(os.environ["GRADIO_TEMP_DIR"]).resolve() not in path.resolve().parents:
        raise page_error("no photograph: upload one, and give the path that the upload gave")
    return path


def refuse_too_many(files: Sequence[str]) -> None:
    """More than can be waited for."""
    if len(files) > MAX_PHOTOGRAPHS:
        raise page_error(f"{len(files)} photographs: at most {MAX_PHOTOGRAPHS} at a time")


async def fetch_nothing(url: str, cache_dir: str) -> str:
    """In the place of Gradio's download of an address that was given for an upload."""
    raise page_error("addresses are not fetched: upload the photograph")


def without_folder(error: UserError, path: Path) -> str:
    """Uploads lie in folders that are nobody's business."""
    return str(error).replace(f"{path.parent}/", "")


def page_error(message: str) -> gr.Error:
    """To raise: the page shows it, the server does not print it."""
    return gr.Error(message, print_exception=False)
