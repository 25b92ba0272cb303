"""Section 2.2.1: file-level source code."""
