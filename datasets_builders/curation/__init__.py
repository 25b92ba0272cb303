"""Section 2.1: the standard pipeline of Figure 2: rules, syntax check, deduplication."""
