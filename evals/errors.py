"""The errors of a command line: whose mistake it was says the exit code."""


class UsageError(ValueError):
    """What was asked for cannot be done as it was asked; the message says what to change. Exit code 2."""
