"""Section 2.1, Figure 2, "rule-based filtering": rules for source code and for code-related text."""
