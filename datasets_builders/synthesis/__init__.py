"""Section 2.4: synthetic data."""
