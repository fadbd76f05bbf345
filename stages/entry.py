"""How every stage starts: check the params, run, and turn a user's mistake into one line."""

import sys
from collections.abc import Callable
from pathlib import Path

from colorizer.core.errors import UserError
from colorizer.core.files import out_of_room
from settings.params import Params
from settings.params_file import read_params


def run_stage(stage: Callable[[Params], None]) -> None:
    """Call `stage` with the checked params; a UserError is printed as one line and ends in exit code 1."""
    try:
        stage(read_params())
    except UserError as error:
        say(str(error))
        sys.exit(1)
    except OSError as error:
        if not out_of_room(error):
            raise
        say(f"{error.filename or 'writing'}: {out_of_room(error)}; make room and run again")
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; `dvc repro` goes on from the last finished stage and the last finished epoch")
        sys.exit(130)  # not 0: DVC would take the stage for finished


def say(text: str) -> None:
    """One line on standard error, with the stage's name before it."""
    print(f"{_stage_name()}: {text}", file=sys.stderr, flush=True)


def _stage_name() -> str:
    """Of the stage that this process, or the one that started it, was started as."""
    program = Path(sys.argv[0])
    return program.parent.name if program.name == "__main__.py" else program.stem
