"""Section 4.2: one file per benchmark; `lighteval_table.py` names them all as custom tasks of lighteval."""
