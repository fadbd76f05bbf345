"""The error that stands for a user's mistake, as opposed to a bug."""

import re

# Control characters, line breaks, what turns the direction of the text, and bytes that are no text.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class UserError(ValueError):
    """Raised for a user's mistake; the message says what was wrong, where, and what to do.

    Entry points print it as one line and exit with code 1. Every other exception keeps its stack trace.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """Write control characters, which names of files may contain, as escapes: a line break becomes `\\n`."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "bad_alloc", "ALLOC_FAILED", "Storage size calculation")


def is_out_of_memory(error: Exception) -> bool:
    """True if NumPy, OpenCV, C++ or PyTorch, on the CPU or a GPU, did not get the memory that it asked for."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in _OUT_OF_MEMORY)
