"""Section 2.3.1: code-related text from the web."""
