"""Photographs in, photographs out: python -m colorizer --help"""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from colorizer.console import make_folder, run_app, say
from colorizer.core.errors import UserError, printable
from colorizer.data.raw_files import SMALLEST_SIDE
from colorizer.film_command import (
    CODEC_HELP,
    FRAMES_HELP,
    QUALITY_HELP,
    FilmOptions,
    color_film,
    film_among,
    refuse_film_options,
    refuse_photograph_options,
)
from colorizer.model_commands import MODEL_HELP, export, publish, score
from colorizer.models.registry import MODEL_PATH, find_model
from colorizer.photographs.files import Format, find_photographs
from colorizer.photographs.jobs import WORKING_SIZES, plan_jobs, shard_of, with_hints
from colorizer.training_command import training_command

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

FEWEST_IMAGES = 10  # to suggest a training on; some thousand make sense


@app.callback()
def _app() -> None:
    """Photographs in, photographs out."""


@app.command("import", short_help="Make training data of photographs.")
def import_(
    photographs: Annotated[
        Path, typer.Argument(metavar="PHOTOGRAPHS", help="a folder; photographs below it count too")
    ],
    out: Annotated[Path, typer.Option(help="the folder for the raw arrays, for example data/mine")],
    size: Annotated[int, typer.Option(min=SMALLEST_SIDE, help="side of the square images, pixels")] = 64,
    fit: Annotated[
        Literal["crop", "whole"], typer.Option(help="the middle of each photograph, or all of it with mirrored borders")
    ] = "crop",
    min_chroma: Annotated[
        float, typer.Option(min=0, help="leave out photographs with a smaller mean chroma (a*, b* units); 0: none")
    ] = 4.0,
    force: Annotated[bool, typer.Option("--force", help="replace what an earlier import made")] = False,
) -> None:
    """Make training data of photographs: raw arrays, and photographs.csv, which says what became of each.

    Example: python -m colorizer import ~/Pictures --out data/mine --size 64
    """
    from colorizer.core.progress import Progress
    from colorizer.photographs.imported_folder import TABLE_FILE
    from colorizer.photographs.importing import import_photographs

    found = find_photographs(photographs)
    with Progress("import", total=len(found)) as progress:
        imported = import_photographs(
            found,
            out,
            size=size,
            fit=fit,
            min_chroma=min_chroma,
            force=force,
            workers=os.cpu_count() or 1,
            on_photographs=progress.advance,
        )
    skipped = ", ".join(f"{count} {reason}" for reason, count in imported.skipped.items())
    say(f"{imported.num_images} images in {out}" + (f"; skipped: {skipped}, see {out / TABLE_FILE}" if skipped else ""))
    if imported.num_images < FEWEST_IMAGES:
        say("these are too few to train on")
        return
    if printable(str(out)) != str(out):
        say("to train on them, rename the folder first: its name cannot be pasted")
    else:
        say(f"to train on them: {training_command(out)}")


@app.command(short_help="Colour photographs, of any size, or a film.")
def colorize(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT", help="photographs, folders of them; or one film")],
    out: Annotated[Path, typer.Option(help="the folder for the coloured photographs; or the coloured film")],
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = str(MODEL_PATH),
    size: Annotated[
        int | None,
        typer.Option(
            min=WORKING_SIZES[0],
            max=WORKING_SIZES[-1],
            help="shorter side at which the network sees them; as it was trained",
        ),
    ] = None,
    strength: Annotated[float, typer.Option(min=0, max=4, help="factor on the chroma: 0 is grey")] = 1.0,
    format: Annotated[Format | None, typer.Option(help="png unless given; all but jpeg are lossless")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="write sheets of before and after as well")] = False,
    force: Annotated[bool, typer.Option("--force", help="colour again what is there already")] = False,
    shard: Annotated[str | None, typer.Option(metavar="K/N", help="only the K-th of N parts")] = None,
    hint: Annotated[
        list[str] | None, typer.Option(metavar="X,Y=#RRGGBB", help="a colour at a place, in pixels; any number of them")
    ] = None,
    hints: Annotated[Path | None, typer.Option(help="a CSV table of hints: x,y,colour")] = None,
    like: Annotated[
        list[Path] | None,
        typer.Option(metavar="PHOTOGRAPH", help="one whose colours they get where it shows the same; any number"),
    ] = None,
    codec: Annotated[str | None, typer.Option(help=CODEC_HELP)] = None,
    quality: Annotated[int | None, typer.Option(help=QUALITY_HELP)] = None,
    frames_per_second: Annotated[float | None, typer.Option(min=1, max=1000, help=FRAMES_HELP)] = None,
    segment: Annotated[int | None, typer.Option(metavar="K", help="film: only its K-th segment, not joined")] = None,
) -> None:
    """Colour photographs, of any size, at their own size: L stays theirs, A and B are predicted. Or colour a film.

    Exit code 1 when any of them could not be coloured; the others are.

    Examples:

        python -m colorizer colorize old.jpg --out coloured

        python -m colorizer colorize album/ scans/ --out coloured --strength 1.2 --compare

        python -m colorizer colorize album/ --out try --model models/checkpoints/epoch-0003.safetensors

        python -m colorizer colorize old.jpg --out coloured --hint 120,80=#3a6b35 --hint 30,200=#c02020

        python -m colorizer colorize grey.jpg --out coloured --like reference.jpg

        python -m colorizer colorize film.mp4 --out film-in-colour.mp4
    """
    if film := film_among(inputs, out, frames_per_second):
        refuse_photograph_options(film, compare=compare, shard=shard, hint=hint, hints=hints, like=like)
        options = FilmOptions(
            out=out,
            model=model,
            size=size,
            strength=strength,
            format=format,
            codec=codec,
            quality=quality,
            frames_per_second=frames_per_second,
            segment=segment,
            force=force,
        )
        color_film(film, options)
        return
    refuse_film_options(inputs[0], codec=codec, quality=quality, segment=segment)
    from colorizer.core.progress import Progress
    from colorizer.models.twin import load_for_photographs
    from colorizer.photographs.batch import Summary, colorize_photographs
    from colorizer.photographs.before_after import PairSheets
    from colorizer.photographs.colorizing import Colorizer

    file_format = format or "png"
    jobs = with_hints(shard_of(plan_jobs(inputs, out, file_format), shard), hint or [], hints)
    wanted = jobs if force else [job for job in jobs if not job.target.exists()]
    part = f"-{shard.replace('/', '-of-')}" if shard else ""
    sheets, summary = PairSheets(out / f"before-after{part}"), Summary()
    if compare and (among := [job for job in jobs if sheets.folder in job.target.parents]):
        raise UserError(f"{sheets.folder} is for the sheets of --compare: choose another --out for {among[0].source}")
    if wanted:
        make_folder(out)
        loaded = load_for_photographs(find_model(Path.cwd(), model))
        seen_at = size or loaded.info.training_size
        if like:
            from colorizer.references.like import model_like

            loaded = model_like(loaded, like, seen_at)
        colorizer = Colorizer(model=loaded, size=seen_at, strength=strength)
        with Progress("colorize", total=len(wanted)) as progress:
            summary = colorize_photographs(
                wanted,
                colorizer,
                file_format,
                on_done=progress.advance,
                on_pair=sheets.add if compare else None,
            )
        sheets.finish()

    for line in summary.failed:
        say(line)
    told = [f"{summary.colored} coloured in {out}"]
    if left := len(jobs) - len(wanted):
        told.append(f"{left} left as they were (--force colours them again)")
    if summary.failed:
        told.append(f"{len(summary.failed)} failed")
    if sheets.count:
        told.append(f"before and after on {sheets.count} sheets in {sheets.folder}")
    say("; ".join(told))
    if summary.failed:
        sys.exit(1)


app.command(short_help="Score models on the same images.")(score)
app.command(short_help="Write a model as ONNX.")(export)
app.command(short_help="Make a folder for a model hub.")(publish)


@app.command("app", short_help="Open a page in the browser.")
def app_(
    host: Annotated[str, typer.Option(help="127.0.0.1 is for this machine alone")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 7860,
) -> None:
    """Open a page in the browser: drop photographs, compare before and after, download.

    With the environment variable COLORIZER_LOGIN=NAME:PASSWORD it asks for these; without, it stays on this machine.

    Example: python -m colorizer app --port 8000
    """
    from colorizer.page.server import serve

    serve(host, port)


def main() -> None:
    run_app(app)


if __name__ == "__main__":
    main()
