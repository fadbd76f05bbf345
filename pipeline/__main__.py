"""The pipeline under Prefect: python -m pipeline --help"""

import gc
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import filelock
import typer

from colorizer.core.errors import UserError, refuse_empty_arguments
from colorizer.core.files import explain_refusal
from colorizer.models.registry import MODEL_PATH
from colorizer.photographs.files import Format
from pipeline.options import parse_candidate, parse_settings, refuse_undecodable
from pipeline.process.server import connected, settings_of
from pipeline.workspace.plan import begin_plan
from pipeline.workspace.promotion import Criterion

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def _app() -> None:
    """The pipeline under Prefect: run it, and watch it in the browser."""


@app.command(short_help="Run what a change makes necessary.")
def rebuild(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Stages, with all they depend on; all when left out")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="A file of presets/ to replace params.yaml, for example `photos64`")
    ] = None,
    set: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A param, for example `train.epochs=20`")
    ] = None,
    pull: Annotated[bool, typer.Option("--pull", help="Fetch data and outputs from the DVC remote before")] = False,
    push: Annotated[bool, typer.Option("--push", help="Send the outputs to the DVC remote afterwards")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run the stages even if nothing changed")] = False,
    review: Annotated[bool, typer.Option("--review", help="Pause after each epoch and ask on the run's page")] = False,
    review_minutes: Annotated[
        float, typer.Option(help="Minutes to wait for an answer; then training continues unchanged")
    ] = 60,
) -> None:
    """Run the stages that a change makes necessary, as `dvc repro` would, and watch them in the browser.

    Reports to the Prefect server of `make serve`, or else to a temporary one.

    Example: python -m pipeline rebuild --set train.epochs=20 --set train.learning_rate=0.0003
    """
    overrides = parse_settings("--set", "train.epochs=3", set or [])
    if preset or overrides:
        from pipeline.workspace.overrides import check_params

        check_params(Path.cwd(), preset, overrides)  # before a server starts
    elif not pull:
        begin_plan(Path.cwd(), targets or [])
    run_flow(
        "rebuild",
        targets=targets,
        preset=preset,
        overrides=overrides,
        pull=pull,
        push=push,
        force=force,
        review=review,
        review_minutes=review_minutes,
    )


@app.command(short_help="Train with several settings and rank them.")
def sweep(
    grid: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=[VALUE, ...]", help="Values to try, with those of other --grid; or see --search"),
    ] = None,
    candidate: Annotated[
        list[str] | None, typer.Option(metavar="{KEY: VALUE, ...}", help="Settings to try as they are")
    ] = None,
    search: Annotated[
        int | None,
        typer.Option(min=1, help="Choose so many settings from ranges in --grid, KEY=log(LOW, HIGH) or uniform(...)"),
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, help="Trainings at the same time; they share the cores")] = 1,
    dask: Annotated[
        str | None, typer.Option(help="A Dask scheduler's address, or `local` for worker processes here")
    ] = None,
) -> None:
    """Train with several settings, rank them by their validation scores, and leave this workspace as it is.

    If it is started again, it skips what is finished.

    Example: python -m pipeline sweep --grid 'train.learning_rate=[0.0003, 0.0006]' --grid 'train.seed=[0, 1]'

    Example: python -m pipeline sweep --search 30 --grid 'train.learning_rate=log(1e-4, 3e-3)'
    """
    candidates = [parse_candidate(text) for text in candidate or []]
    values = parse_settings("--grid", "train.epochs=[20, 30]", grid or [])

    from pipeline.sweeps.candidates import check_values
    from pipeline.sweeps.ranges import read_grid

    check_values(Path.cwd(), read_grid(values, candidates, search), candidates)  # before a server starts
    run_flow(
        "sweep",
        grid=values,
        candidates=candidates,
        search=search,
        at_once=at_once,
        dask=dask,
    )


@app.command(short_help="Fetch new data and code, and rebuild.")
def refresh(
    branch: Annotated[
        str, typer.Option(help="The branch for the commits of refreshes (params, lock, metrics); do not work on it")
    ] = "refresh",
    follow: Annotated[str, typer.Option(help="A branch, tag or commit to build; `origin/main` is fetched")] = "HEAD",
    criterion: Annotated[Criterion, typer.Option(help="The score on the test images that decides")] = "combined_score",
    margin: Annotated[float, typer.Option(help="By how much the new model has to be better")] = 0.0,
    publish: Annotated[bool, typer.Option("--publish", help="Send branch and tags to `origin` as well")] = False,
    from_promoted: Annotated[
        bool, typer.Option("--from-promoted", help="Fine-tune the promoted model on what is new")
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Of fine-tuning; those of params.yaml when left out")
    ] = None,
) -> None:
    """Fetch new data and code, rebuild in a clone, and promote the new model only if it is better.

    Example: python -m pipeline refresh --follow origin/main --publish
    """
    run_flow(
        "refresh",
        branch=branch,
        follow=follow,
        criterion=criterion,
        margin=margin,
        publish=publish,
        from_promoted=from_promoted,
        epochs=epochs,
    )


@app.command()
def colorize_folder(
    photographs: Annotated[Path, typer.Argument(help="A folder; photographs below it are found too")],
    out: Annotated[Path, typer.Option(help="The folder for the coloured ones")],
    model: Annotated[str, typer.Option(help="A file, or a registered name such as generator#prod")] = str(MODEL_PATH),
    strength: Annotated[float, typer.Option(min=0, max=4, help="Factor on the chroma: 0 is grey")] = 1.0,
    format: Annotated[Format, typer.Option(help="All but jpeg are lossless")] = "png",
    shard_size: Annotated[int, typer.Option(min=1, help="Photographs per task")] = 100,
    at_once: Annotated[int, typer.Option(min=1, help="Tasks at the same time; they share the cores")] = 1,
    dask: Annotated[
        str | None, typer.Option(help="A Dask scheduler's address, or `local` for worker processes here")
    ] = None,
) -> None:
    """Colour a folder of photographs in shards. If it is started again, it skips what is finished.

    Example: python -m pipeline colorize-folder album --out coloured --model generator#prod --at-once 2
    """
    run_flow(
        "colorize_folder",
        photographs=str(photographs),
        out=str(out),
        model=model,
        strength=strength,
        format=format,
        shard_size=shard_size,
        at_once=at_once,
        dask=dask,
    )


@app.command()
def colorize_film(
    film: Annotated[Path, typer.Argument(help="A film, or a folder of its frames")],
    out: Annotated[Path, typer.Option(help="The coloured film; or a folder for coloured frames")],
    model: Annotated[str, typer.Option(help="A file, or a registered name such as generator#prod")] = str(MODEL_PATH),
    strength: Annotated[float, typer.Option(min=0, max=4, help="Factor on the chroma: 0 is grey")] = 1.0,
    codec: Annotated[str | None, typer.Option(help="libx264, libx265, libsvtav1, libvpx-vp9, ffv1")] = None,
    quality: Annotated[int | None, typer.Option(help="The codec's constant rate factor: smaller is better")] = None,
    frames_per_second: Annotated[
        float | None, typer.Option(min=1, max=1000, help="Of a film that is made of a folder of frames")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, help="Segments at the same time; they share the cores")] = 1,
    dask: Annotated[
        str | None, typer.Option(help="A Dask scheduler's address, or `local` for worker processes here")
    ] = None,
) -> None:
    """Colour a film in segments and join them. If it is started again, it skips what is finished.

    Example: python -m pipeline colorize-film film.mp4 --out film-in-colour.mp4 --at-once 2
    """
    run_flow(
        "colorize_film",
        film=str(film),
        out=str(out),
        model=model,
        strength=strength,
        codec=codec,
        quality=quality,
        frames_per_second=frames_per_second,
        at_once=at_once,
        dask=dask,
    )


@app.command(short_help="Serve Prefect and carry out scheduled runs.")
def serve(
    name: Annotated[str | None, typer.Option(help="Of the deployments; that of this folder when left out")] = None,
) -> None:
    """Start a Prefect server, unless one runs, and carry out the runs that are started on its pages or by schedule.

    The server listens at PREFECT_API_URL, or http://127.0.0.1:4200/api, and can be reached from this machine alone.
    """
    settings_of(Path.cwd())  # before anything is written
    lock = Path("scratch/serve.lock")
    lock.parent.mkdir(exist_ok=True)
    try:
        with filelock.FileLock(lock, timeout=0), connected(Path.cwd(), stay=True) as wait:
            from pipeline.deployments import serve_deployments

            wait()
            serve_deployments(Path.cwd(), name)
    except filelock.Timeout:
        raise UserError(
            "this workspace is being served already: stop the other `make serve` first, as two would pause each "
            "other's schedules"
        ) from None


def run_flow(name: str, **parameters: Any) -> None:
    """Run the flow `name` of `pipeline.flows.<name>`, with a server to report to; exit as its final state says."""
    try:
        with connected(Path.cwd()) as wait:
            gc.disable()  # or a fifth of the import's time would go into searching it for garbage
            flow = getattr(import_module(f"pipeline.flows.{name}"), name)  # while a temporary server starts
            gc.freeze()
            gc.enable()
            wait()
            from prefect.logging.handlers import APILogHandler

            try:
                state = flow(**parameters, return_state=True)
            finally:
                APILogHandler().flush()  # while the server is there
    except KeyboardInterrupt:
        print("pipeline: interrupted; the next run goes on from what is finished", file=sys.stderr)
        sys.exit(130)
    if not state.is_completed():
        sys.exit(1)


def main() -> None:
    try:
        refuse_undecodable([*sys.argv[1:], str(Path.cwd())])
        refuse_empty_arguments(sys.argv[1:])
        app()
    except UserError as error:
        sys.exit(f"pipeline: {error}")
    except OSError as error:
        if not explain_refusal(error):
            raise
        sys.exit(f"pipeline: {explain_refusal(error)}")


if __name__ == "__main__":
    main()
