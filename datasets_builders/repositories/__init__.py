"""Section 2.2.2: repository-level data: files in an order in which what a file needs comes before it."""
