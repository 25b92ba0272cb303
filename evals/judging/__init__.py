"""Section 3.2.4: whether a model's answers to open questions got better, by a judge that is another model."""
