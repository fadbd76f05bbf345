"""The error that stands for a user's mistake, as opposed to a bug."""

import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Control characters, line breaks, what turns the direction of the text, and bytes that are no text.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

# What PyTorch, CUDA, oneDNN, OpenCV, ONNX Runtime and Python say, whose errors are of no kind of their own.
_NO_MEMORY = re.compile(
    "allocate memory|out of memory|insufficient memory|failed to allocate|bad.alloc|alloc_failed"
    "|storage size calculation|could not (create|execute) a prim|can't start new thread",
    re.IGNORECASE,
)

# Begins the message of a DivergedError; `pipeline` looks for it in what a training prints.
DIVERGED = "training diverged"


class UserError(ValueError):
    """Raised for a user's mistake; the message says what was wrong, where, and what to do.

    Entry points print it as one line and exit with code 1. Every other exception keeps its stack trace.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class OutOfMemoryError(UserError):
    """Raised when there is too little memory for something, of which a smaller one may fit, or the same one later."""


def printable(text: str) -> str:
    """Write control characters, which names of files may contain, as escapes: a line break becomes `\\n`."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def refuse_empty_arguments(arguments: Sequence[str]) -> None:
    """Raise UserError when an argument of a command is empty, as by an unset variable: it would be the path `.`."""
    if any(re.fullmatch("(--[a-z-]+=)?", argument) for argument in arguments):
        raise UserError("an argument is empty: as a path it would be this folder; write . if that is meant")


@contextmanager
def within_memory(advice: str, path: Path | None = None) -> Iterator[None]:
    """Turn full memory, in whatever words a library says it, into an OutOfMemoryError: one line with what to do.

    It names the file at `path`, or else what the library says.
    """
    try:
        yield
    except Exception as error:  # OpenCV's is of no other kind
        if isinstance(error, UserError) or not is_out_of_memory(error):
            raise
        told = " ".join(str(error).split())
        line = f"out of memory: {advice}"
        if path:
            line = f"{path}: {line}"
        elif told:
            line = f"{line} ({told})"
        raise OutOfMemoryError(line) from error


def is_out_of_memory(error: Exception) -> bool:
    """True if NumPy, OpenCV, C++, ONNX Runtime or PyTorch, on the CPU or a GPU, did not get the memory it asked for."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or bool(_NO_MEMORY.search(str(error)))
