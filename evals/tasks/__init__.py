"""Section 4.2: one file per benchmark; `all_tasks.py` names them all, for lighteval too."""
