"""The error that stands for a user's mistake, as opposed to a bug."""


class UserError(ValueError):
    """Raised for a user's mistake; the message says what was wrong, where, and what to do.

    Entry points print it as one line and exit with code 1. Every other exception keeps its stack trace.
    """


_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "bad_alloc", "ALLOC_FAILED", "Storage size calculation")


def is_out_of_memory(error: Exception) -> bool:
    """True if NumPy, OpenCV, C++ or PyTorch, on the CPU or a GPU, did not get the memory that it asked for."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in _OUT_OF_MEMORY)
