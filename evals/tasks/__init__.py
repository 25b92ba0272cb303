"""Section 4: one file per benchmark, each a custom task of lighteval (`lighteval ... --custom-tasks FILE`)."""
