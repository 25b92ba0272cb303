"""Section 2.1, Figure 2, quality assessment of a finished dataset: rules, sample scores, one verdict."""
