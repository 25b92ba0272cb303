"""Section 2.4: the steps of the program-analysis builder, from files to verified questions.

In the order of a build: `extract`, `attach_calls`, `observe`, `split`, `ask`, `limit`. `documents` reads what they
write into the documents between them.
"""
