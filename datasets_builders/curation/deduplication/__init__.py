"""Section 2.1, Figure 2, deduplication: of equal and of similar documents the best one stays."""
