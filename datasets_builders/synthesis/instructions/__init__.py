"""Section 2.4: what the synthesis with a teacher shares: texts judged by rules, rows, their steps."""
