"""Section 2.3: commits as edits, from a message and a repository to what was changed."""
