"""Section 2.2.1, high-quality data: quality models, scorers, grades of a teacher, limits on columns."""
