"""Section 2.4: faults that span several files of a repository, repaired by a diff."""
