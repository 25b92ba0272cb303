"""Section 2.4: questions to generated databases, answered in SQL that was run."""
