"""Section 2.1, data collection: where files come from. One `Source` per kind of input, one reader for all of them."""
