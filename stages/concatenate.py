"""Join lightness and the chroma batches into one store of Lab codes."""

from contextlib import closing
from pathlib import Path

from colorizer.core.store import interleave, write_store
from colorizer.data.parallel import ordered_map
from colorizer.data.raw import open_raw
from settings.params import Params
from settings.paths import LAB_STORE
from stages.runtime.entry import run_stage


def concatenate(params: Params) -> None:
    raw = open_raw(Path(params.data.root))
    shape = (raw.num_images, *raw.image_shape, 3)
    with closing(ordered_map(lambda span: interleave(*raw.read(span)), raw.spans())) as chunks:
        write_store(LAB_STORE, chunks, shape)
    print(f"concatenate: data/lab.npy, {' x '.join(map(str, shape))} uint8")


if __name__ == "__main__":
    run_stage(concatenate)
