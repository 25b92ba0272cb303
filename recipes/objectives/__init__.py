"""Section 3.2: what is learned from a row: fill-in-the-middle, and the losses through NormHead."""
