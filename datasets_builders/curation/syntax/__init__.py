"""Section 2.2.1: syntax trees of code files: does a file parse, and what does its tree measure."""
