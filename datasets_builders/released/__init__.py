"""Section 1: the three datasets that people pull: SyntheticQA, SFT and DPO."""
