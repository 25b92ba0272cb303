"""Section 2.4: program analysis in JavaScript, TypeScript, Java, Go and C++.

extraction (a `Dialect` per language) -> calls, mutation -> observation (running: many functions a program) ->
questions; `languages` is the table of what is particular to each.
"""
