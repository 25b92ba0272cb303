"""Section 2.3.2: code-comment pairs."""
