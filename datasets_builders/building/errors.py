"""What a build can refuse or fail with: both carry a message that says what to do."""

from modeling_ling.command_line import EXIT_NOTHING_LEFT


class ConfigError(ValueError):
    """The configuration cannot be used; nothing was written."""


class BuildError(RuntimeError):
    """The build cannot go on; what is done is kept for the next run."""


class NothingLeftError(BuildError):
    """All inputs were removed, each with its reason: for some callers an answer, which the exit code tells."""

    exit_code = EXIT_NOTHING_LEFT
