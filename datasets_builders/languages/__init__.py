"""Sections 2.1 and 2.2: programming languages: what Linguist knows of them, and how a file's is told."""
