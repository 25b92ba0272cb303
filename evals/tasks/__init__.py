"""Section 4.2: one file per benchmark; `catalog.py` names them all, `all_tasks.py` is what lighteval reads."""
