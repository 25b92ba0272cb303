"""Section 2.4: questions about code whose answers are computed, not generated.

extraction -> arguments, mutation -> observation (in the sandbox) -> clusters -> questions -> balance; `steps` makes a
pipeline of them.
"""
