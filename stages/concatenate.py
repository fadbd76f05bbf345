"""Join lightness and the chroma batches into one store of Lab codes."""

from pathlib import Path

from colorizer.raw import open_raw
from colorizer.store import interleave, write_store
from stages.entry import run_stage
from stages.params import Params


def concatenate(params: Params) -> None:
    raw = open_raw(Path(params.data.root))
    shape = (raw.num_images, *raw.image_shape, 3)
    chunks = (interleave(lightness, chroma) for _, _, lightness, chroma in raw.chunks())
    write_store(Path("data/lab.npy"), chunks, shape)
    print(f"concatenate: data/lab.npy, {' x '.join(map(str, shape))} uint8")


if __name__ == "__main__":
    run_stage(concatenate)
