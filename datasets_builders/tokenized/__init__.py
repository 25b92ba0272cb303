"""Section 3.2: built datasets as token files with a document index, from which training mixes by Table 1's ratios."""
