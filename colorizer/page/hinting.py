"""The part of the colouring tab for hints: click on a place of the picture, choose its colour, see what follows.

The colours beside the place are those of `suggest_colors`. Each one that is chosen takes the place of the one before,
until another place is clicked.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from colorizer.core.errors import UserError
from colorizer.page.previews import Preview, Previews
from colorizer.page.suggestions import suggest_colors
from colorizer.page.uploads import page_error, uploaded, without_folder
from colorizer.photographs.hints import Hint, parse_hint, read_hints, refuse_outside, write_hints

# What the picture with its marks, the colours and the list of hints tell of a click. `select`: a place, as shares of
# the picture's width and height. `apply`: a colour. `delete`: the number of a hint.
_SCRIPT = """
element.addEventListener("click", event => {
    const {color, hint} = event.target.dataset;
    if (event.target.matches(".picture img")) {
        const box = event.target.getBoundingClientRect();
        const across = (event.clientX - box.left) / box.width, down = (event.clientY - box.top) / box.height;
        trigger("select", {across, down});
    } else if (color) trigger("apply", {color});
    else if (hint) trigger("delete", {hint: Number(hint)});
});
element.addEventListener("change", event => {
    if (event.target.type === "color") trigger("apply", {color: event.target.value});
});
"""
_STYLE = """
.picture { position: relative; display: inline-block; cursor: crosshair; line-height: 0 }
.picture img { width: 100% }
.mark { position: absolute; width: 14px; height: 14px; margin: -7px; border-radius: 50%; pointer-events: none;
    border: 2px solid white; outline: 1px solid black }
.mark.place { background: none !important; width: 20px; height: 20px; margin: -10px }
.colors, .hints { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; margin: 6px 0; padding: 0 }
.colors { min-height: 40px }
.colors button { width: 34px; height: 34px; border: 1px solid #888; border-radius: 6px; cursor: pointer }
.hints li { list-style: none; display: flex; gap: 5px; align-items: center }
.chip { width: 14px; height: 14px; border: 1px solid #888; border-radius: 3px }
.hints button { cursor: pointer; border: none; background: none; font-size: 15px }
"""
NOTHING_SHOWN = "Drop a photograph first."
_UNTAKEN = (
    "<p>This model takes no hints. To train one that does, set <code>hints: true</code> in the section "
    "<code>train.generator</code> of <code>params.yaml</code> and run <code>dvc repro</code>.</p>"
)
_CLICK = "Click on a place whose colour you know or want."
_CHOOSE = "Choose a colour for {x}, {y}; what counts is its hue and how colourful it is, not its lightness:"


@dataclass(frozen=True)
class Shown:
    """A photograph on the page: the upload, the model that colours it, the network's size for it, and its hints."""

    photograph: Path
    model: str
    size: int
    hints: tuple[Hint, ...] = ()

    @property
    def label(self) -> str:
        """What is on the button that downloads it."""
        return f"Download {self.photograph.with_suffix('.png').name}"


@dataclass(frozen=True)
class Pointed:
    """A place that was clicked, in pixels of the photograph, and the colours that are suggested for it."""

    x: int
    y: int
    colors: tuple[str, ...]


@dataclass(frozen=True)
class Showing:
    """Draws what is on the page. All methods raise gr.Error for what `Previews` refuses."""

    previews: Previews

    def plain(self, item: Shown) -> Preview:
        """Give the preview without hints."""
        return self._preview(item, ())

    def preview(self, item: Shown) -> Preview:
        """Give the preview with the hints that count."""
        return self._preview(item, self.hints(item))

    def hints(self, item: Shown) -> tuple[Hint, ...]:
        """Give the hints that count: none for a model that takes none."""
        return item.hints if item.hints and self.plain(item).takes_hints else ()

    def after(self, item: Shown, strength: float) -> Path:
        """Give the path of the coloured picture."""
        hints = self.hints(item)
        try:
            return self.previews.after(item.photograph, item.model, item.size, strength, hints)
        except UserError as error:
            raise page_error(without_folder(error, item.photograph)) from None

    def board(self, item: Shown, strength: float, pointed: Pointed | None) -> str:
        """Draw the picture with a mark at each hint, the colours for the place that was clicked, and the list."""
        if not self.plain(item).takes_hints:
            return _UNTAKEN
        height, width = self.plain(item).seen.size

        def mark(x: int, y: int, color: str, kind: str = "") -> str:
            left, top = 100 * (x + 0.5) / width, 100 * (y + 0.5) / height
            return f'<i class="mark {kind}" style="left: {left:.2f}%; top: {top:.2f}%; background: {color}"></i>'

        source = f"gradio_api/file={quote(str(self.after(item, strength)))}"
        marks = [mark(hint.x, hint.y, hint.color) for hint in item.hints]
        text, colors = _CLICK, ""
        if pointed:
            marks.append(mark(pointed.x, pointed.y, "none", "place"))
            text, colors = _CHOOSE.format(x=pointed.x, y=pointed.y), _swatches(pointed.colors)
        picture = f'<img src="{source}" alt="picture with hints">{"".join(marks)}'
        return (
            f'<div class="picture" style="width: min(100%, {65 * width / height:.2f}vh)">{picture}</div>'
            f'<div>{text}</div><div class="colors">{colors}</div><ol class="hints">{_listed(item.hints)}</ol>'
        )

    def _preview(self, item: Shown, hints: tuple[Hint, ...]) -> Preview:
        try:
            return self.previews.of(item.photograph, item.model, item.size, hints)
        except UserError as error:
            raise page_error(without_folder(error, item.photograph)) from None


def _swatches(colors: Sequence[str]) -> str:
    buttons = [
        f'<button data-color="{color}" style="background: {color}" title="{color}" aria-label="{color}"></button>'
        for color in colors
    ]
    return f'{"".join(buttons)}<label>another: <input type="color" value="{colors[0]}"></label>'


def _listed(hints: Sequence[Hint]) -> str:
    return "".join(
        f'<li><i class="chip" style="background: {hint.color}"></i>{hint.x}, {hint.y} <code>{hint.color}</code>'
        f'<button data-hint="{number}" aria-label="remove {hint}">×</button></li>'
        for number, hint in enumerate(hints)
    )


@dataclass(frozen=True)
class Hinting:
    """What this part of the tab answers. `results` is a folder for files to download."""

    results: Path
    showing: Showing

    def point(self, item: Shown, across: float, down: float) -> Pointed:
        """Find the place at these shares of the picture's width and height, and colours for it."""
        plain, told = self.showing.plain(item), self.showing.preview(item)
        height, width = plain.seen.size
        row, column = (
            min(max(int(share * side), 0), side - 1)
            for share, side in zip((down, across), plain.seen.guide.shape, strict=True)
        )
        colors = suggest_colors(plain.seen.guide, [told.seen.ab, plain.seen.ab], row, column)
        return Pointed(
            x=min(max(int(across * width), 0), width - 1),
            y=min(max(int(down * height), 0), height - 1),
            colors=tuple(colors),
        )

    def chosen(self, item: Shown, pointed: Pointed, color: str) -> Shown:
        """Give the photograph with this colour at the place that was clicked; raises gr.Error for a bad colour."""
        try:
            hint = parse_hint(f"{pointed.x},{pointed.y}={color}")
        except UserError as error:
            raise page_error(str(error)) from None
        others = (other for other in item.hints if (other.x, other.y) != (hint.x, hint.y))
        return replace(item, hints=(*others, hint))

    def loaded(self, item: Shown, name: str) -> Shown:
        """Give the photograph with the hints of an uploaded table; raises gr.Error."""
        path = uploaded(name)
        try:
            hints = read_hints(path)
            refuse_outside(hints, self.showing.plain(item).seen.size)
        except UserError as error:
            raise page_error(without_folder(error, path)) from None
        return replace(item, hints=tuple(hints))

    def saved(self, item: Shown) -> Path:
        """Write the hints as a table, to download; raises gr.Error."""
        path = Path(tempfile.mkdtemp(dir=self.results)) / f"{item.photograph.stem}-hints.csv"
        try:
            write_hints(path, item.hints)
        except UserError as error:
            raise page_error(str(error)) from None
        return path


@dataclass(frozen=True)
class HintParts:
    """The parts of the page: the picture with its colours and list, the row of buttons, the place that was clicked."""

    board: gr.HTML
    buttons: gr.Row
    pointed: gr.State


def add_hinting(
    hinting: Hinting,
    done: gr.State,
    shown: gr.State,
    strength: gr.Slider,
    slider: gr.ImageSlider,
    file: gr.DownloadButton,
    options: dict[str, Any],
    save: str,
    redraw_several: str,
) -> HintParts:
    """Add the parts, where the page is being built.

    `options` are those of the events, which wait in no queue. `save` has the browser save what is in `file`,
    `redraw_several` has it ask for all photographs anew: both are JavaScript.
    """

    def told(all_shown: list[Shown], before: Shown, item: Shown, strength: float | None, pointed: Any) -> tuple:
        """Give what the page shows of a photograph whose hints have changed."""
        strength = 1.0 if strength is None else strength
        others = [item if other == before else other for other in all_shown]
        pictures = hinting.showing.plain(item).before, hinting.showing.after(item, strength)
        return others, item, pointed, pictures, hinting.showing.board(item, strength, pointed)

    def point(item: Shown, strength: float | None, event: gr.EventData) -> tuple:
        pointed = hinting.point(item, float(event.across), float(event.down))
        return pointed, hinting.showing.board(item, 1.0 if strength is None else strength, pointed)

    def choose(
        all_shown: list[Shown], item: Shown, strength: float | None, pointed: Pointed, event: gr.EventData
    ) -> tuple:
        return told(all_shown, item, hinting.chosen(item, pointed, str(event.color)), strength, pointed)

    def remove(all_shown: list[Shown], item: Shown, strength: float | None, event: gr.EventData) -> tuple:
        left = tuple(hint for number, hint in enumerate(item.hints) if number != event.hint)
        return told(all_shown, item, replace(item, hints=left), strength, None)

    def undo(all_shown: list[Shown], item: Shown, strength: float | None) -> tuple:
        return told(all_shown, item, replace(item, hints=item.hints[:-1]), strength, None)

    def clear(all_shown: list[Shown], item: Shown, strength: float | None) -> tuple:
        return told(all_shown, item, replace(item, hints=()), strength, None)

    def load(all_shown: list[Shown], item: Shown, strength: float | None, name: str) -> tuple:
        return told(all_shown, item, hinting.loaded(item, name), strength, None)

    pointed = gr.State()
    board = gr.HTML(NOTHING_SHOWN, js_on_load=_SCRIPT, css_template=_STYLE, elem_id="hints")
    with gr.Row(visible=False) as buttons:
        undo_button = gr.Button("Undo the last", size="sm", min_width=110)
        clear_button = gr.Button("Remove all", size="sm", min_width=110)
        save_button = gr.Button("Save as CSV", size="sm", min_width=110)
        load_button = gr.UploadButton("Load from CSV", size="sm", min_width=110, file_types=[".csv"])

    inputs = [done, shown, strength]
    outputs = [done, shown, pointed, slider, board]
    board.select(point, [shown, strength], [pointed, board], **options)
    queued = options | {"queue": True, "concurrency_limit": None}  # Gradio shows no error of an event without a queue
    for event, fn, given in (
        (board.apply, choose, [*inputs, pointed]),
        (board.delete, remove, inputs),
        (undo_button.click, undo, inputs),
        (clear_button.click, clear, inputs),
    ):
        changed = event(fn, given, outputs, trigger_mode="always_last", **options)
        changed.success(None, None, None, js=redraw_several)
    loaded = load_button.upload(load, [*inputs, load_button], outputs, **queued)
    loaded.success(None, None, None, js=redraw_several)
    saved = save_button.click(hinting.saved, shown, file, **queued)
    saved.success(None, None, None, js=save)
    return HintParts(board, buttons, pointed)
