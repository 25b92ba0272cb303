"""Section 3.2: what a rank reads: token shards, their mixture, packed windows and packed conversations."""
