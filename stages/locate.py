"""See that data.root holds raw arrays, and say where they belong if it does not.

DVC stops at what it cannot read before the stage that needs it can explain; this stage comes first.
"""

from pathlib import Path

from colorizer.core.files import write_text
from colorizer.data.raw_files import find_chroma_files, find_lightness_file, refuse_unreadable_folders
from settings.params import Params
from settings.paths import LOCATED
from stages.runtime.entry import run_stage


def locate(params: Params) -> None:
    if not params.uses_sample:  # which its own stage makes
        root = Path(params.data.root)
        refuse_unreadable_folders(root)
        find_lightness_file(root)
        find_chroma_files(root)
    write_text(LOCATED, "data.root holds l/ and ab/\n")


if __name__ == "__main__":
    run_stage(locate)
