"""The error that stands for a user's mistake, as opposed to a bug."""


class UserError(ValueError):
    """Raised for a user's mistake; the message says what was wrong, where, and what to do.

    Entry points print it as one line and exit with code 1. Every other exception keeps its stack trace.
    """
