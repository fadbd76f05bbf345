"""The commands of `python -m colorizer` that are about models: score, export, publish."""

import json
import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from colorizer.console import make_folder, say
from colorizer.core.errors import UserError
from colorizer.core.files import write_text
from colorizer.models.registry import MODEL_PATH, find_model, find_model_and_card

MODEL_HELP = "a .safetensors file of the pipeline, an .onnx export, or a registered name, for example generator#prod"


def score(
    models: Annotated[list[str], typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    out: Annotated[Path, typer.Option(help="the JSON file for the scores, by model")],
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="auto: the GPU if there is one")] = "auto",
    precision: Annotated[
        Literal["auto", "fp32", "bf16"], typer.Option(help="auto: bf16 where the device is fast at it")
    ] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="images that are coloured at a time")] = 64,
    store: Annotated[Path, typer.Option(help="the images, as stage concatenate writes them")] = Path("data/lab.npy"),
    images: Annotated[
        Path, typer.Option(help="a CSV file with the numbers of the images to score in its column image")
    ] = Path("data/split/test.csv"),
) -> None:
    """Score models on the same images, by default on the test images of this folder.

    Example: python -m colorizer score models/checkpoints/*.safetensors --out scores.json
    """
    import pandas as pd

    from colorizer.models.comparison import score_models

    paths = {name: find_model(Path.cwd(), name) for name in models}
    scores = score_models(paths, store, images, device=device, precision=precision, batch_size=batch_size)
    write_text(out, json.dumps(scores, indent=2) + "\n")
    print(pd.DataFrame(scores).transpose().round(3).to_string())
    say(f"scores of {len(scores)} models in {out}")


def export(
    onnx: Annotated[Path, typer.Option(help="the file to write, for example models/generator.onnx")],
    model: Annotated[str, typer.Option(help="a .safetensors file, or a registered name")] = str(MODEL_PATH),
    force: Annotated[bool, typer.Option("--force", help="replace the file if it exists")] = False,
) -> None:
    """Write a model as ONNX, for programs without PyTorch: any batch, any size, normalisation included.

    Appears only when ONNX Runtime gives what PyTorch gives, on real photographs.

    Example: python -m colorizer export --onnx models/generator.onnx
    """
    from colorizer.models.export import export_onnx

    if onnx.suffix != ".onnx":
        raise UserError(f"--onnx {onnx}: the name has to end in .onnx")
    if onnx.exists() and not force:
        raise UserError(f"{onnx} exists: --force replaces it")
    make_folder(onnx.parent)
    check = export_onnx(find_model(Path.cwd(), model), onnx)
    say(
        f"{onnx} written; on {check.num_photographs} photographs it differs from PyTorch by at most "
        f"{check.difference:.1e} of normalised chroma"
    )


def publish(
    out: Annotated[Path, typer.Option(help="the folder to make, for example hub")],
    model: Annotated[str, typer.Option(help="the file that the model card lies beside, or a registered name")] = str(
        MODEL_PATH
    ),
    license: Annotated[
        str | None, typer.Option(metavar="ID", help="of the weights, as hubs write it, for example cc-by-4.0 or other")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="replace these files in a folder that holds files")] = False,
) -> None:
    """Make a folder that is ready for a model hub: the model, its card, a picture, its configuration. Uploads nothing.

    Example: python -m colorizer publish --out hub --license cc-by-4.0
    """
    from colorizer.hub_folder import write_hub_folder

    written = write_hub_folder(out, *find_model_and_card(Path.cwd(), model), license=license, force=force)
    say(f"{out} holds {', '.join(written)}")
    for export in sorted(out.glob("*.onnx")):
        say(f"{export} may be of another model: export it again from {out / MODEL_PATH.name}")
    say("its pictures are test images, with their true colours: see that you may publish them")
    if license is None:
        say("nobody has decided on the licence of the weights: --license names one")
    say(f"to upload it: hf upload USER/NAME {shlex.quote(str(out))}")
