"""The page's tab for colouring photographs.

A photograph that is dropped is shown in colour at the size of a screen. Its full size is coloured when it is asked for.
Drops wait in one queue, full sizes in another, and the slider of the strength in none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from colorizer.core.errors import UserError
from colorizer.models.registry import models_at_hand
from colorizer.page.coloring import MAX_MEGAPIXELS, color, remove_old, zip_results
from colorizer.page.hinting import NOTHING_SHOWN, Hinting, Pointed, Showing, Shown, add_hinting
from colorizer.page.uploads import (
    MAX_PHOTOGRAPHS,
    MAX_UPLOAD_MEGABYTES,
    page_error,
    refuse_too_many,
    uploaded,
    without_folder,
)
from colorizer.photographs.files import SUFFIXES

_LIMITS = f"Up to {MAX_PHOTOGRAPHS} at a time, each up to {MAX_UPLOAD_MEGABYTES} MB and {MAX_MEGAPIXELS} megapixels"
_SIZES = [("as it was trained", 0), *((f"{side} px", side) for side in (64, 96, 128, 192, 256, 384, 512))]
_PRIVATE: dict[str, Any] = {"api_visibility": "private"}
_AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", **_PRIVATE}
_FILE = "file-to-save"  # a hidden button, which has the browser save a file
_SAVE = f"() => document.getElementById('{_FILE}').click()"
_GALLERY, _REDRAW = "all-photographs", "redraw-all-photographs"  # a gallery that is hidden is not on the page
_REDRAW_SEVERAL = (
    f"() => {{ if (document.getElementById('{_GALLERY}')) document.getElementById('{_REDRAW}').click(); }}"
)


@dataclass(frozen=True)
class Coloring:
    """What the tab answers. `results` is a folder for files to show and to download."""

    results: Path
    showing: Showing

    def color_all(
        self,
        files: list[str] | None,
        model: str,
        strength: float | None,
        size: int,
        before: list[Shown],
        progress: gr.Progress,
    ) -> tuple[Any, ...]:
        """Colour uploads as previews: gives the list of `Shown`, and what `show` gives of the last one.

        Photographs that were shown `before` keep their hints. Those that are no photographs are warned of. Raises
        gr.Error when none is left.
        """
        if not files:
            nothing = NOTHING_SHOWN, gr.Row(visible=False), None
            return [], None, None, "", gr.Button("Download", interactive=False), *nothing
        refuse_too_many(files)
        remove_old(self.results)
        self.showing.previews.remove_old()
        hints = {item.photograph: item.hints for item in before}
        done: list[Shown] = []
        wrong: list[str] = []
        for name in progress.tqdm(files, desc="colouring", unit="photographs"):
            try:
                item = Shown(uploaded(name), model, size, hints.get(Path(name), ()))
                self.showing.previews.of(item.photograph, model, size)
                done.append(item)
            except UserError as error:
                wrong.append(without_folder(error, Path(name)))
        if not done:
            raise page_error("; ".join(wrong))
        for message in wrong:
            gr.Warning(message)
        return done, *self.show(done[-1], strength)

    def show(self, item: Shown, strength: float | None) -> tuple[Any, ...]:
        """Give what the page shows of one photograph.

        Itself, its two pictures, the caption, the button, its hints with their buttons, and that no place is clicked.
        """
        button = gr.Button(item.label, interactive=True)
        pictures, board = self.pictures(item, strength, None)
        plain = self.showing.plain(item)
        return item, pictures, plain.caption, button, board, gr.Row(visible=plain.takes_hints), None

    def pictures(self, item: Shown | None, strength: float | None, pointed: Pointed | None) -> tuple[Any, Any]:
        """Give the paths of the pictures before and after, and the hints; nothing while the strength is being typed."""
        if item is None or strength is None:
            return gr.skip(), gr.skip()
        before, after = self.showing.plain(item).before, self.showing.after(item, strength)
        return (before, after), self.showing.board(item, strength, pointed)

    def gallery(self, done: list[Shown], strength: float | None) -> Any:
        """Give the gallery and the button of several photographs, hidden for one."""
        if len(done) < 2:
            return gr.Gallery(visible=False), gr.Button(visible=False)
        button = gr.Button(f"Download all {len(done)} as ZIP", visible=True, interactive=True)
        if strength is None:
            return gr.skip(), button
        return gr.Gallery(
            [(self.showing.after(item, strength), item.photograph.stem) for item in done], visible=True
        ), button

    def write(self, item: Shown, strength: float | None) -> Path:
        """Colour a photograph at its full size; raises gr.Error."""
        if strength is None:
            raise page_error("the strength of the colours is empty: it has to be a number")
        try:
            hints = self.showing.hints(item)
            return color(item.photograph, item.model, strength, item.size, self.results, hints)
        except UserError as error:
            raise page_error(without_folder(error, item.photograph)) from None

    def write_all(self, done: list[Shown], strength: float | None, progress: gr.Progress) -> Path:
        """Colour all at their full size, into one ZIP; raises gr.Error."""
        files = [self.write(item, strength) for item in progress.tqdm(done, desc="writing", unit="photographs")]
        try:
            return zip_results(files, self.results)
        except UserError as error:
            raise page_error(str(error)) from None


def add_coloring(
    page: gr.Blocks,
    coloring: Coloring,
    examples: Sequence[Path],
    one_at_a_time: dict[str, Any],
    one_full_size_at_a_time: dict[str, Any],
) -> None:
    """Add the parts of the tab to `page`; call it inside that tab. `examples` are photographs to pick from.

    The last two hold the options of events by which drops and full sizes wait their turn.
    """

    def color_all(
        files: list[str] | None,
        model: str,
        strength: float | None,
        size: int,
        before: list[Shown],
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[Any, ...]:
        return coloring.color_all(files, model, strength, size, before, progress)

    def write_all(
        done: list[Shown],
        strength: float | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Path:
        return coloring.write_all(done, strength, progress)

    def show_picked(done: list[Shown], strength: float | None, picked: gr.SelectData) -> tuple[Any, ...]:
        return coloring.show(done[picked.index], strength)

    def pick_example(picked: gr.SelectData) -> list[str]:
        return [str(examples[picked.index])]

    choices = _choices()
    done, shown = gr.State([]), gr.State()
    with gr.Row():
        with gr.Column(scale=1, min_width=370):
            files = gr.File(label="Photographs", file_count="multiple", file_types=sorted(SUFFIXES), height=150)
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
            model = gr.Dropdown(choices, value=choices[0][1], label="Model")
            strength = gr.Slider(0, 2, value=1, step=0.05, label="Strength of the colours")
            size = gr.Dropdown(_SIZES, value=0, label="Shorter side at which the network sees it")
        with gr.Column(scale=2):
            file = gr.DownloadButton(visible="hidden", elem_id=_FILE)
            with gr.Tab("Before and after"):
                slider = gr.ImageSlider(
                    label="before | after", type="filepath", interactive=False, buttons=["fullscreen"]
                )
            with gr.Tab("Hints"):
                hinting = Hinting(coloring.results, coloring.showing)
                hints = add_hinting(
                    hinting, done, shown, strength, slider, file, _AT_ONCE, save=_SAVE, redraw_several=_REDRAW_SEVERAL
                )
            caption = gr.Markdown()
            with gr.Row():
                download = gr.Button("Download", interactive=False, variant="primary")
                download_all = gr.Button(visible=False)
            redraw_several = gr.Button(visible="hidden", elem_id=_REDRAW)
            gallery = gr.Gallery(
                visible=False,
                show_label=False,
                columns=4,
                height="fit-content",
                allow_preview=False,
                buttons=[],
                elem_id=_GALLERY,
            )

    parts = [shown, slider, caption, download, hints.board, hints.buttons, hints.pointed]
    everything: dict[str, Any] = {
        "fn": color_all,
        "inputs": [files, model, strength, size, done],
        "outputs": [done, *parts],
        "show_progress_on": slider,
        "trigger_mode": "always_last",  # what is changed while a photograph is being coloured counts afterwards
        **_PRIVATE,
        **one_at_a_time,
    }
    redraw: dict[str, Any] = {
        "fn": coloring.pictures,
        "inputs": [shown, strength, hints.pointed],
        "outputs": [slider, hints.board],
        **_AT_ONCE,
    }
    redraw_all = {"fn": coloring.gallery, "inputs": [done, strength], "outputs": [gallery, download_all], **_AT_ONCE}
    drop = gr.on([files.upload, files.clear, files.delete, model.input, size.input], **everything)
    example = pictures.select(pick_example, None, files, **_PRIVATE).then(**everything)
    for colored in (drop, example):
        colored.success(**redraw)  # the slider may have been moved meanwhile
        colored.success(**redraw_all)
    strength.change(**redraw, trigger_mode="always_last")
    strength.release(None, None, None, js=_REDRAW_SEVERAL, **_PRIVATE)  # one photograph needs no other request
    redraw_several.click(**redraw_all, trigger_mode="always_last")
    gallery.select(show_picked, [done, strength], parts, **_AT_ONCE)
    for button, fn, source, label in (
        (download, coloring.write, shown, lambda item: item.label),
        (download_all, write_all, done, lambda items: f"Download all {len(items)} as ZIP"),
    ):
        _write_when_pressed(button, fn, [source, strength], label, file, slider, one_full_size_at_a_time)
    page.load(lambda: gr.Dropdown(_choices()), None, model, **_PRIVATE)


def _write_when_pressed(
    button: gr.Button, fn: Any, inputs: list[Any], label: Any, file: gr.DownloadButton, progress: Any, queue: dict
) -> None:
    """Have a button make a file and the browser save it; meanwhile it says so and cannot be pressed."""

    def ready(source: Any) -> gr.Button:
        return gr.Button(label(source), interactive=True) if source else gr.skip()

    busy = button.click(lambda: gr.Button("Writing the full size ...", interactive=False), None, button, **_AT_ONCE)
    written = busy.then(fn, inputs, file, show_progress="minimal", show_progress_on=progress, **_PRIVATE, **queue)
    written.success(None, None, None, js=_SAVE)
    written.success(ready, inputs[0], button, **_AT_ONCE)
    written.failure(ready, inputs[0], button, **_AT_ONCE)


def _choices() -> list[tuple[str, str]]:
    return list(models_at_hand(Path.cwd()).items())
