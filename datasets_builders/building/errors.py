"""What a build can refuse or fail with: both carry a message that says what to do."""


class ConfigError(ValueError):
    """The configuration cannot be used; nothing was written."""


class BuildError(RuntimeError):
    """The build cannot go on; what is done is kept for the next run."""
