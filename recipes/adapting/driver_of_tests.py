"""Runs a project's tests inside the sandbox: doctests, unittest's cases, and plain functions without fixtures.

Read as a text, in which the three lists are filled in: modules with examples, modules of tests, and tests that have to
pass. Without the last it prints the names of the tests that pass, else it fails where one of them does not.
"""

import doctest
import importlib
import inspect
import io
import json
import sys
import unittest

DOCTESTS: list[str] = []
TESTS: list[str] = []
WANTED: list[str] = []

sys.path[:0] = [".", "src", "lib"]
passed = []
output, sys.stdout = sys.stdout, io.StringIO()  # of the tests
for name in DOCTESTS:
    try:
        module = importlib.import_module(name)
        for case in doctest.DocTestFinder().find(module):
            if case.examples and not doctest.DocTestRunner(verbose=False).run(case, out=lambda text: None).failed:
                passed.append("doctest " + case.name)
    except BaseException:
        pass
for name in TESTS:
    folder = name.rpartition(".")[0].replace(".", "/")
    sys.path.append(folder or ".")
    try:
        module = importlib.import_module(name)
        suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    except BaseException:
        continue
    stack: list = [suite]
    while stack:
        item = stack.pop()
        if isinstance(item, unittest.TestSuite):
            stack += list(item)
            continue
        result = unittest.TestResult()
        try:
            item.run(result)
        except BaseException:
            continue
        if result.wasSuccessful() and result.testsRun and not result.skipped:
            passed.append(item.id())
    for label, function in sorted(vars(module).items()):
        if label.startswith("test") and inspect.isfunction(function) and function.__module__ == module.__name__:
            try:
                if not inspect.signature(function).parameters:
                    function()
                    passed.append(name + "." + label)
            except BaseException:
                pass
sys.stdout = output
missing = sorted(set(WANTED) - set(passed))
if missing:
    raise SystemExit("failed: " + ", ".join(missing[:5]))
print(json.dumps(sorted(set(passed))))
