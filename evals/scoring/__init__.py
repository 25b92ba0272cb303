"""Section 4.1: from a model and tasks to results: runs, judging anew, gold solutions, held-out loss, publishing."""
