"""The one error that is a user's mistake, not a bug."""


class UserError(ValueError):
    """Input that cannot be worked with; the message says what was wrong, where, and what to do.

    Entry points print it as one line and exit with code 1. Every other exception keeps its stack trace.
    """
