"""The page's tab for judging two contenders blind. Who judges sees neither names nor which side is whose."""

import random
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from colorizer.core.errors import UserError
from colorizer.models.registry import models_at_hand
from colorizer.page.blind_test import ORIGINAL, BlindTest, Contender, Photographs, held_out_photographs
from colorizer.page.coloring import load_at_hand, read_upload
from colorizer.page.uploads import page_error, refuse_too_many, uploaded, without_folder
from colorizer.page.votes import VOTES, Choice, Tally, read_votes, tally, verdict
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.files import SUFFIXES
from colorizer.photographs.photographs import Photograph

_DATA = Path("data")
_INTRODUCTION = """Two pictures of one photograph, side by side and without names: whose colours look more natural?
Pick two models; or a model and the original colours, and the question is which picture is the real one. Votes stay on
this machine."""
_WHICH_IS_REAL, _WHICH_IS_BETTER = "### Which picture shows the real colours?", "### Whose colours look more natural?"


def add_judging(page: gr.Blocks, one_at_a_time: dict[str, Any]) -> None:
    """Add the parts of the tab to `page`; call it inside that tab.

    `one_at_a_time` holds the options of an event by which colouring waits its turn.
    """

    def begin(first: str, second: str, files: list[str] | None) -> tuple[Any, ...]:
        try:
            photographs = _uploads(files) if files else held_out_photographs(_DATA)
            if not photographs:
                raise UserError(_where_from(photographs))
            contenders = _contender(first), _contender(second)
            test = BlindTest(*contenders, photographs, VOTES, random.SystemRandom())
        except UserError as error:
            raise page_error(str(error)) from None
        asked = _WHICH_IS_REAL if ORIGINAL in contenders else _WHICH_IS_BETTER
        return test, *_next_round(test), asked, gr.Column(visible=False), gr.Column(visible=True), ""

    def refresh() -> tuple[Any, ...]:
        choices = _choices()
        return gr.Dropdown(choices), gr.Dropdown(choices), _where_from(held_out_photographs(_DATA))

    choices = _choices()
    test = gr.State()
    with gr.Column() as setting_up:
        gr.Markdown(_INTRODUCTION)
        with gr.Row():
            first = gr.Dropdown(choices, value=choices[0][1], label="One contender")
            second = gr.Dropdown(choices, value=ORIGINAL.identity, label="The other")
        source = gr.Markdown()
        files = gr.File(label="Photographs in colour", file_count="multiple", file_types=sorted(SUFFIXES), height=150)
        start = gr.Button("Start", variant="primary")
    with gr.Column(visible=False) as judging:
        question = gr.Markdown()
        number = gr.Number(visible=False)
        with gr.Row():  # beside pictures whose colours are judged, buttons are grey
            with gr.Column(scale=1, min_width=160):
                grey = _picture("grey")
                neither_button = gr.Button("Cannot tell")
            with gr.Column(scale=2, min_width=240):
                left = _picture("left")
                left_button = gr.Button("Left")
            with gr.Column(scale=2, min_width=240):
                right = _picture("right")
                right_button = gr.Button("Right")
        with gr.Row():
            counted = gr.Markdown()
            show_result = gr.Button("Show the result")
    result = gr.Markdown()

    rounds = [number, grey, left, right, left_button, neither_button, right_button, counted]
    event: dict[str, Any] = {"api_visibility": "private", **one_at_a_time}
    started = [test, *rounds, question, setting_up, judging, result]
    start.click(begin, [first, second, files], started, show_progress_on=result, **event)  # errors cover what is there
    choose: dict[gr.Button, Choice] = {left_button: "left", neither_button: "neither", right_button: "right"}
    for button, chosen in choose.items():
        button.click(partial(vote, chosen=chosen), [test, number], rounds, show_progress_on=[left, right], **event)
    revealed = [result, setting_up, judging]
    show_result.click(reveal, test, revealed, show_progress="hidden", api_visibility="private")
    page.load(refresh, None, [first, second, source], api_visibility="private")


def vote(test: BlindTest | None, number: int, chosen: Choice) -> tuple[Any, ...]:
    """Count a vote as `BlindTest.vote` does, and return what the page shows next: the values of `rounds`.

    That is the next round, or the same one again when the vote does not count.
    """
    test = _running(test)
    try:
        test.vote(number, chosen)
    except UserError as error:
        raise page_error(str(error)) from None
    return _show(test) if test.shown else _next_round(test)  # none is shown either where an error broke in meanwhile


def reveal(test: BlindTest | None) -> tuple[Any, ...]:
    """Return the result as Markdown, and the updates that show the part for setting up and hide that for judging."""
    try:
        return _result(_running(test)), gr.Column(visible=True), gr.Column(visible=False)
    except UserError as error:
        raise page_error(str(error)) from None


def _next_round(test: BlindTest) -> tuple[Any, ...]:
    while True:
        try:
            test.next_round()
            return _show(test)
        except UserError as error:
            gr.Warning(str(error))


def _show(test: BlindTest) -> tuple[Any, ...]:
    shown, counted = test.shown, f"{len(test.votes)} vote{'s' * (len(test.votes) != 1)}"
    buttons = [gr.Button(interactive=shown is not None)] * 3
    if shown is None:
        return 0, None, None, None, *buttons, f"All photographs were shown; {counted}"
    return shown.number, shown.grey, shown.left, shown.right, *buttons, f"Photograph {shown.number}; {counted} so far"


def _running(test: BlindTest | None) -> BlindTest:
    if test is None:
        raise page_error("this test is over: load the page again")
    return test


def _picture(label: str) -> gr.Image:
    return gr.Image(label=label, alt_text=label, format="png", height=384, interactive=False, buttons=["fullscreen"])


def _choices() -> list[tuple[str, str]]:
    return [*models_at_hand(Path.cwd()).items(), (ORIGINAL.name, ORIGINAL.identity)]


def _contender(chosen: str) -> Contender:
    if chosen == ORIGINAL.identity:
        return ORIGINAL
    model = load_at_hand(chosen)
    [name] = [name for name, value in _choices() if value == chosen]
    return Contender(identity=model.identity, name=name, paint=Colorizer(model=model, size=model.info.training_size))


def _uploads(files: list[str]) -> Photographs:
    refuse_too_many(files)
    return [(path.name, partial(_read, path)) for path in map(uploaded, files)]


def _read(path: Path) -> Photograph:
    try:
        return read_upload(path)
    except UserError as error:
        raise UserError(without_folder(error, path)) from None


def _where_from(test_images: Photographs) -> str:
    if test_images:
        return (
            f"You will judge the {len(test_images)} test images of the data here, "
            "unless you upload your own photographs:"
        )
    return "There are no test images here (`dvc repro` makes them): upload photographs to judge."


def _result(test: BlindTest) -> str:
    """As Markdown: the votes of this test, and of all that are kept."""
    first, second = test.first, test.second
    of_this, of_all = (tally(votes, first.identity, second.identity) for votes in (test.votes, read_votes(VOTES)))
    rows = {"this test": of_this, "all tests of these two": of_all}
    lines = [f"| | {first.name} | {second.name} | cannot tell | the first's share, 95% interval |"]
    lines += ["|---|---:|---:|---:|---:|", *(_row(name, counted) for name, counted in rows.items())]
    said = f"All votes on these two so far: {verdict(of_all, first.name, second.name)}"
    return "\n".join(["### Result", said, "", *lines])


def _row(name: str, counted: Tally) -> str:
    low, high = counted.interval()
    share = f"{counted.first / counted.decided:.0%}, {low:.0%} to {high:.0%}" if counted.decided else ""
    return f"| {name} | {counted.first} | {counted.second} | {counted.neither} | {share} |"
