"""The commands of `python -m evals`, a module each; what is heavy is imported when a command runs."""
