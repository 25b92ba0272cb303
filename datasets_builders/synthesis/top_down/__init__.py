"""Section 2.4.2, top-down synthesis: from titles of books to trees of knowledge, to problems, to answers."""
