"""Section 5: what a model costs to run: FLOPs (Figure 1c), the floors of decoding, and measured latency (Figure 6)."""
