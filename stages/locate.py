"""See that data.root holds raw arrays, and say where they belong if it does not.

DVC stops at a missing dependency before the stage that needs it can explain; this stage comes first.
"""

from pathlib import Path

from colorizer.files import write_text
from colorizer.raw import find_chroma_files, find_lightness_file
from stages.entry import run_stage
from stages.params import SAMPLE_ROOT, Params


def locate(params: Params) -> None:
    root = Path(params.data.root)
    if root != SAMPLE_ROOT:  # the sample is made by its own stage
        find_lightness_file(root)
        find_chroma_files(root)
    write_text(Path("data/located.txt"), "data.root holds l/ and ab/\n")


if __name__ == "__main__":
    run_stage(locate)
