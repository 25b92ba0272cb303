"""Section 3.2: reading recipes, and running one: arguments, checkpoints, schedules, the trainer."""
