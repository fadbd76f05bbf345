"""See that data.root holds raw arrays, and say where they belong if it does not.

DVC stops at a missing dependency before the stage that needs it can explain; this stage comes first.
"""

from pathlib import Path

from colorizer.core.files import write_text
from colorizer.data.raw import find_chroma_files, find_lightness_file
from settings.params import Params
from settings.paths import LOCATED
from stages.runtime.entry import run_stage


def locate(params: Params) -> None:
    if not params.uses_sample:  # which its own stage makes
        find_lightness_file(Path(params.data.root))
        find_chroma_files(Path(params.data.root))
    write_text(LOCATED, "data.root holds l/ and ab/\n")


if __name__ == "__main__":
    run_stage(locate)
