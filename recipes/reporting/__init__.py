"""Section 3.2: what is said of a run: the plan before it, metrics beside it, cards after it."""
