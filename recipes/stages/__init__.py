"""Section 3.2: the course of a stage, one class per kind of training."""
