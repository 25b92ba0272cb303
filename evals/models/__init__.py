"""Section 4.1: what answers: a model loaded here through transformers, or an OpenAI-compatible server."""
