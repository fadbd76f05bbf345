"""Builds the page of `python -m colorizer app`. Importing Gradio takes seconds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from colorizer.core.errors import UserError
from colorizer.models.registry import MODEL_PATH, models_at_hand
from colorizer.page.coloring import MAX_MEGAPIXELS, Colored, color, remove_old, zip_results
from colorizer.page.judging_tab import add_judging
from colorizer.page.uploads import (
    MAX_PHOTOGRAPHS,
    MAX_UPLOAD_MEGABYTES,
    page_error,
    refuse_too_many,
    uploaded,
    without_folder,
)
from colorizer.photographs.photographs import SUFFIXES

_WAITING = 32  # requests; more are turned away
_LIMITS = f"Up to {MAX_PHOTOGRAPHS} at a time, each up to {MAX_UPLOAD_MEGABYTES} MB and {MAX_MEGAPIXELS} megapixels"
_SIZES = [("as it was trained", 0), *((f"{side} px", side) for side in (64, 96, 128, 192, 256, 384, 512))]
_ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "colour", "concurrency_limit": 1}


def build_page(results: Path, examples: Sequence[Path]) -> gr.Blocks:
    """Build the page. Coloured photographs go to the folder `results`; `examples` are photographs to pick from."""

    def choices() -> list[tuple[str, str]]:
        return list(models_at_hand(Path.cwd()).items())

    def color_all(
        files: list[str] | None,
        model: str,
        strength: float,
        size: int,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        if not files:
            nothing = gr.DownloadButton("Download", value=None, interactive=False)
            return [], None, "", nothing, gr.DownloadButton(visible=False), gr.Gallery(visible=False)
        refuse_too_many(files)
        remove_old(results)
        done: list[Colored] = []
        wrong: list[str] = []
        for name in progress.tqdm(files, desc="colouring", unit="photographs"):
            try:
                done.append(color(uploaded(name), model, strength, size, results))
            except UserError as error:
                wrong.append(without_folder(error, Path(name)))
        if not done:
            raise page_error("; ".join(wrong))
        for message in wrong:
            gr.Warning(message)
        gallery = gr.Gallery([(item.after, item.full.stem) for item in done], visible=len(done) > 1)
        return done, *show(done[-1]), all_of(done), gallery

    def all_of(done: list[Colored]) -> gr.DownloadButton:
        if len(done) < 2:
            return gr.DownloadButton(visible=False)
        try:
            return gr.DownloadButton(f"Download all {len(done)} as ZIP", value=zip_results(done, results), visible=True)
        except UserError as error:  # each can still be downloaded
            gr.Warning(str(error))
            return gr.DownloadButton(visible=False)

    def show(item: Colored) -> tuple[Any, ...]:
        download = gr.DownloadButton(f"Download {item.full.name}", value=item.full, interactive=True)
        return (item.before, item.after), item.caption, download

    def show_picked(done: list[Colored], picked: gr.SelectData) -> tuple[Any, ...]:
        return show(done[picked.index])

    def pick_example(picked: gr.SelectData) -> list[str]:
        return [str(examples[picked.index])]

    def colorize(
        photograph: gr.FileData, model: str = str(MODEL_PATH), strength: float = 1.0, size: int = 0
    ) -> gr.FileData:
        """Colour one photograph, as the page does; gives a PNG of its size. size: 0 is that of the model's training."""
        source = uploaded(photograph.get("path") if isinstance(photograph, dict) else None)
        if not isinstance(strength, int | float):
            raise page_error(f"strength is {strength!r}: it has to be a number")
        if not isinstance(size, int):
            raise page_error(f"size is {size!r}: it has to be a whole number of pixels")
        try:
            remove_old(results)
            full = color(source, str(model), strength, size, results).full
        except UserError as error:
            raise page_error(without_folder(error, source)) from None
        return gr.FileData(path=str(full), orig_name=full.name)

    with gr.Blocks(title="Colorizer", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        done = gr.State([])
        gr.Markdown("# Colorizer\nThe lightness stays the photograph's own; a network predicts the colours.")
        with gr.Tab("Colour"), gr.Row():
            with gr.Column(scale=1, min_width=370):
                files = gr.File(
                    label="Photographs",
                    file_count="multiple",
                    file_types=sorted(SUFFIXES),
                    height=150,
                )
                gr.Markdown(f"{_LIMITS}. Or one of these:")
                pictures = gr.Gallery(
                    [str(path) for path in examples],
                    show_label=False,
                    columns=3,
                    height="fit-content",
                    allow_preview=False,
                    interactive=False,
                    buttons=[],
                )
                model = gr.Dropdown(choices(), value=choices()[0][1], label="Model")
                strength = gr.Slider(0, 2, value=1, step=0.05, label="Strength of the colours")
                size = gr.Dropdown(_SIZES, value=0, label="Shorter side at which the network sees it")
            with gr.Column(scale=2):
                slider = gr.ImageSlider(
                    label="before | after", type="filepath", interactive=False, buttons=["fullscreen"]
                )
                caption = gr.Markdown()
                with gr.Row():
                    download = gr.DownloadButton("Download", interactive=False, variant="primary")
                    download_all = gr.DownloadButton(visible=False)
                gallery = gr.Gallery(
                    visible=False, show_label=False, columns=4, height="fit-content", allow_preview=False, buttons=[]
                )
        with gr.Tab("Judge"):
            add_judging(page, _ONE_AT_A_TIME)

        shown = [slider, caption, download]
        everything: dict[str, Any] = {
            "fn": color_all,
            "inputs": [files, model, strength, size],
            "outputs": [done, *shown, download_all, gallery],
            "api_visibility": "private",
            "trigger_mode": "always_last",  # what is changed while a photograph is being coloured counts afterwards
            **_ONE_AT_A_TIME,
        }
        gr.on([files.upload, files.clear, files.delete, model.input, strength.release, size.input], **everything)
        pictures.select(pick_example, None, files, api_visibility="private").then(**everything)
        gallery.select(show_picked, done, shown, api_visibility="private")
        page.load(lambda: gr.Dropdown(choices()), None, model, api_visibility="private")
        gr.api(colorize, api_name="colorize", **_ONE_AT_A_TIME)
    return page.queue(max_size=_WAITING)
