"""Section 2.3: code-related text, in which text and code explain each other."""
