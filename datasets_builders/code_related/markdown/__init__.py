"""Section 2.3.3: Markdown files."""
