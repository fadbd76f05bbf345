"""How every command of `python -m colorizer` runs: what it prints, its exit code, one line for a user's mistake."""

import atexit
import gc
import os
import sys
from pathlib import Path

import typer

from colorizer.core.errors import UserError, printable, refuse_empty_arguments, within_memory
from colorizer.core.files import explain_refusal


def run_app(app: typer.Typer) -> None:
    """Run the command that the command line asks for, and end the process.

    A UserError, a file that cannot be read or written, and full memory are printed as one line and end in exit code 1.
    Ctrl-C ends in exit code 130.
    """
    silence_libtiff()
    atexit.register(gc.freeze)  # what is left then goes with the process, without half a second of looking through it
    try:
        refuse_empty_arguments(sys.argv[1:])
        with within_memory("close other programs, or lower --size or --batch-size if the command has it"):
            app()
    except UserError as error:
        say(str(error))
        sys.exit(1)
    except OSError as error:
        if error.filename is None and not explain_refusal(error):
            raise
        say(explain_refusal(error) or f"{error.filename}: {(error.strerror or '').lower()}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; what was written is whole")
        sys.exit(130)


def say(text: str) -> None:
    """Print one line on standard error, with the program's name before it and control characters as escapes."""
    print(f"colorizer: {printable(text)}", file=sys.stderr, flush=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; raises UserError when it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UserError(f"{folder} is a file: a folder is needed") from error
    except OSError as error:
        raise UserError(f"{folder} cannot be written to: {(error.strerror or '').lower()}") from error


def silence_libtiff() -> None:
    """Discard what libtiff prints about damaged files: point file descriptor 2 at nothing, and move Python's stderr.

    libtiff writes to the descriptor itself.
    """
    if sys.__stderr__ is not None and sys.stderr is sys.__stderr__:
        sys.__stderr__.flush()
        encoding = sys.__stderr__.encoding  # the terminal's
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding=encoding, errors="backslashreplace")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
