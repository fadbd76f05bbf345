"""Score models on the test images of this workspace, with its code: python -m stages.score OUT MODEL [MODEL ...]

For comparing models of other versions; not a stage. OUT, a JSON file, gets the scores by the models' paths.
"""

import json
import sys
from functools import partial
from pathlib import Path

import pandas as pd

from colorizer.core.files import write_text
from colorizer.core.lab import Predict
from colorizer.core.progress import Progress
from colorizer.core.store import open_store
from colorizer.networks.checkpoints import generate_chroma, load_generator
from colorizer.networks.devices import choose_device, choose_precision
from colorizer.scoring.evaluation import evaluate_images
from settings.params import Params
from stages.entry import run_stage


def score(params: Params, out: Path, models: list[Path]) -> None:
    device = choose_device(params.train.device)
    precision = choose_precision(params.train.precision, device)
    store = open_store(Path("data/lab.npy"))
    images = pd.read_csv("data/split/test.csv")["image"].to_numpy()
    methods: dict[str, Predict] = {}
    for number, path in enumerate(models):
        generator, normalization, _ = load_generator(path, device)
        methods[f"model{number}"] = partial(
            generate_chroma, generator, normalization, device=device, precision=precision
        )
    with Progress("score", total=len(images)) as progress:
        summary = evaluate_images(
            store, images, methods, batch_size=params.evaluate.batch_size, on_images=progress.advance
        ).summary()
    scores = {str(path): summary[method] for path, method in zip(models, methods, strict=True)}
    write_text(out, json.dumps(scores, indent=2) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    run_stage(partial(score, out=Path(sys.argv[1]), models=[Path(path) for path in sys.argv[2:]]))
