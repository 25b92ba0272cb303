"""Section 4: measuring models on code and general benchmarks; generated code runs in `evals.execution` only."""
