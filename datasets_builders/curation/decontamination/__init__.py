"""Section 2.1: no text of a benchmark in the data."""
