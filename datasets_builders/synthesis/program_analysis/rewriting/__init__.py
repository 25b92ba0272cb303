"""Section 2.4: functions written another way, and tests written for them, kept where running shows that they hold."""
