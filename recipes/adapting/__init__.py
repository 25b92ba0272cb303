"""Section 2.2.2 and 3.2 for one's own code: a model is adapted to it, and what that brought is measured."""
