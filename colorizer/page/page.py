"""Builds the page of `python -m colorizer app`. Importing Gradio takes seconds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from colorizer.core.errors import UserError
from colorizer.models.registry import MODEL_PATH
from colorizer.page.coloring import color, remove_old
from colorizer.page.coloring_tab import Coloring, add_coloring
from colorizer.page.hinting import Showing
from colorizer.page.judging_tab import add_judging
from colorizer.page.previews import Previews
from colorizer.page.uploads import page_error, uploaded, without_folder
from colorizer.photographs.hints import parse_hints

_WAITING = 32  # requests; more are turned away
_ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "colour", "concurrency_limit": 1}
_ONE_FULL_SIZE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "full size", "concurrency_limit": 1}


def build_page(results: Path, examples: Sequence[Path], previews: Previews) -> gr.Blocks:
    """Build the page.

    Coloured photographs go to the folder `results`, `previews` to theirs; `examples` are photographs to pick from.
    """

    def colorize(
        photograph: gr.FileData, model: str = str(MODEL_PATH), strength: float = 1.0, size: int = 0
    ) -> gr.FileData:
        """Colour one photograph, as the page does; gives a PNG of its size. size: 0 is that of the model's training."""
        return colored(photograph, model, strength, size, [])

    def colorize_with_hints(
        photograph: gr.FileData,
        hints: list[str],
        model: str = str(MODEL_PATH),
        strength: float = 1.0,
        size: int = 0,
    ) -> gr.FileData:
        """Colour one photograph as `colorize` does, with hints: ["120,80=#3a6b35", ...], or one text with blanks."""
        return colored(photograph, model, strength, size, hints)

    def colored(photograph: Any, model: str, strength: Any, size: Any, hints: Any) -> gr.FileData:
        source = uploaded(photograph.get("path") if isinstance(photograph, dict) else None)
        if not isinstance(strength, int | float):
            raise page_error(f"strength is {strength!r}: it has to be a number")
        if not isinstance(size, int):
            raise page_error(f"size is {size!r}: it has to be a whole number of pixels")
        if not (isinstance(hints, str) or (isinstance(hints, list) and all(isinstance(text, str) for text in hints))):
            raise page_error("hints have to be texts of the form X,Y=#rrggbb, in a list")
        try:
            remove_old(results)
            full = color(source, str(model), strength, size, results, parse_hints(hints))
        except UserError as error:
            raise page_error(without_folder(error, source)) from None
        return gr.FileData(path=str(full), orig_name=full.name)

    gr.set_static_paths([results])  # what is there is served as it is, without another copy
    with gr.Blocks(title="Colorizer", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.Markdown("# Colorizer\nThe lightness stays the photograph's own; a network predicts the colours.")
        with gr.Tab("Colour"):
            coloring = Coloring(results, Showing(previews))
            add_coloring(page, coloring, examples, _ONE_AT_A_TIME, _ONE_FULL_SIZE_AT_A_TIME)
        with gr.Tab("Judge"):
            add_judging(page, _ONE_AT_A_TIME)
        gr.api(colorize, api_name="colorize", **_ONE_FULL_SIZE_AT_A_TIME)
        gr.api(colorize_with_hints, api_name="colorize_with_hints", **_ONE_FULL_SIZE_AT_A_TIME)
    return page.queue(max_size=_WAITING)
