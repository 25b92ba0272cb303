"""Section 4.2: the rows of each benchmark: where they come from, their schema and a hash. No torch, no lighteval."""
