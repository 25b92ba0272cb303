import ast
import difflib
import textwrap
from pathlib import Path

import pytest

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample, extract_functions
from datasets_builders.synthesis.program_analysis.mutation import mutate
from datasets_builders.synthesis.program_analysis.mutation.smells import smells
from datasets_builders.synthesis.program_analysis.mutation.tells import surface_tells

FUNCTION = '''\
def clip(values, low, high=10):
    """Clip values, not text: 1 + 1 stays as it is here."""
    out = []  # keeps the order
    for value in values:
        if value is None or not (low <= value):
            value = low
        elif value > high and high != 0:
            value = min(high, 99)
            break
        # Nothing is nothing.
        out.append(value if value else 0)

    total = len(out) - 1
    total += 2
    try:
        last = out[total - 1]
    except IndexError:
        last = low
    return out[:total], last, "\u00e4" + "x" * 3
'''


def changes(function: str, num_mutants: int = 500) -> dict[str, list[str]]:
    """Return the faulty texts by operator."""
    found: dict[str, list[str]] = {}
    for mutant in mutate(function, num_mutants):
        found.setdefault(mutant.operator, []).append(mutant.function)
    return found


def test_mutants_keep_the_layout_the_comments_and_the_docstring() -> None:
    mutants = mutate(FUNCTION, num_mutants=500)
    assert len({mutant.operator for mutant in mutants}) > 15
    for mutant in mutants:
        assert "1 + 1 stays as it is" in mutant.function
        kept = [line for line in difflib.ndiff(FUNCTION.splitlines(), mutant.function.splitlines()) if line[0] == " "]
        if mutant.operator not in ("combined", "removed loop", "removed handler"):
            assert len(kept) >= len(FUNCTION.splitlines()) - 5
        faulty, right = mutant.function.splitlines(), FUNCTION.splitlines()
        assert (
            faulty[: mutant.line - 1] == right[: mutant.line - 1]
            and faulty[mutant.line - 1 :] != right[mutant.line - 1 :]
        )


def test_mutants_differ_from_the_original_and_from_each_other_as_syntax() -> None:
    trees = [ast.dump(ast.parse(text)) for text in [FUNCTION, *(m.function for m in mutate(FUNCTION, 100))]]
    assert len(set(trees)) == len(trees)


def test_few_mutants_still_take_turns_over_the_operators() -> None:
    operators = {mutant.operator for mutant in mutate(FUNCTION, num_mutants=8)}
    assert len(operators) == 8


def test_the_seed_decides() -> None:
    assert mutate(FUNCTION, 8, seed=1) == mutate(FUNCTION, 8, seed=1)
    assert mutate(FUNCTION, 8, seed=1) != mutate(FUNCTION, 8, seed=2)


@pytest.mark.parametrize(
    ("expression", "faulty"),
    [
        ("a < b", "a <= b"),
        ("a not in b", "a in b"),
        ("(a) // (b)", "(a) / (b)"),
        ("not a", "a"),
        ("a if b else c", "c if b else a"),
        ("a if f(b) else c", "a if not f(b) else c"),
        ("a if b and c != 1 else 2", "a if not b or c == 1 else 2"),
        ("a if not b or c in f else 2", "a if b and c not in f else 2"),
        ("f(a, b)", "f(b, a)"),
        ("a.lower()", "a.upper()"),
        ("a.lower()", "a"),
        ("sorted(a)", "a"),
        ("a[0]", "a[1]"),
        ("a[b:c]", "a[b:c - 1]"),
        ("a[:b + 1]", "a[:b]"),
        ("a and b", "a or b"),
        ("a and b", "a"),
        ("a - b", "b - a"),
        ("a + 'x'", "'x' + a"),
        ("[x for x in a if x > b]", "[x for x in a]"),
        ("a % 100", "a % 1000"),
    ],
)
def test_expressions_go_wrong_as_people_get_them_wrong(expression: str, faulty: str) -> None:
    rest = ", a, b, c, f"
    texts = [mutant.function for mutant in mutate(f"def g(a, b, c, f):\n    return {expression}{rest}\n", 200)]
    assert f"def g(a, b, c, f):\n    return {faulty}{rest}\n" in texts


@pytest.mark.parametrize(
    ("body", "operator", "faulty"),
    [
        ("out = a\nout.sort()\nreturn out, a", "removed call", "out = a\nreturn out, a"),
        ("a = b\na = a + 1\nreturn a, b", "removed assignment", "a = b\nreturn a, b"),
        ("for x in a:\n    b.add(x)\nreturn a, b", "removed loop", "return a, b"),
        ("a.pop()\nb.pop()\nreturn a, b", "swapped statements", "b.pop()\na.pop()\nreturn a, b"),
        ("a.pop()\nb.pop()\na.sort()\nreturn a, b", "shuffled statements", "b.pop()\na.sort()\na.pop()\nreturn a, b"),
        ("if a:\n    # why\n    b = 2\nreturn a, b", "removed condition", "# why\nb = 2\nreturn a, b"),
        ("if a:\n    b = 2\n    a = 1\nreturn a, b", "removed condition", "b = 2\na = 1\nreturn a, b"),
        ("if a:\n    b = 2\n    a = 1\nreturn a, b", "moved out of the branch", "if a:\n    b = 2\na = 1\nreturn a, b"),
        (
            "if a:\n    b = 2\nelse:\n    b = 3\nreturn a, b", "swapped branches",
            "if a:\n    b = 3\nelse:\n    b = 2\nreturn a, b",
        ),
        ("if a:\n    b = 2\nelse:\n    b = 3\nreturn a, b", "removed else", "if a:\n    b = 2\nreturn a, b"),
        (
            "if a:\n    b = 2\nelif b:\n    b = 3\nreturn a, b", "chain cut",
            "if a:\n    b = 2\nif b:\n    b = 3\nreturn a, b",
        ),
        ("for x in a:\n    b += x\n\nreturn b", "moved into the loop", "for x in a:\n    b += x\n    return b"),
        (
            "for x in a:\n    b += x\n    a.pop()\nreturn a, b",
            "moved out of the loop",
            "for x in a:\n    b += x\na.pop()\nreturn a, b",
        ),
        ("while a:\n    a //= 2\nreturn a, b", "loop became condition", "if a:\n    a //= 2\nreturn a, b"),
        ("try:\n    a = b[0]\nexcept IndexError:\n    a = b\nreturn a", "removed handler", "a = b[0]\nreturn a"),
    ],
)  # fmt: skip
def test_structures_go_wrong(body: str, operator: str, faulty: str) -> None:
    def function(text: str) -> str:
        return "def f(a, b):\n" + "".join(f"    {line}\n" if line else "\n" for line in text.splitlines())

    found = changes(function(body)).get(operator, [])
    assert function(faulty) in found


def test_a_wrong_variable_is_of_the_same_type_and_bound_before() -> None:
    function = (
        "def f(text, width=3, gap=4):\n"
        "    start = len(text)\n"
        "    name = text.strip()\n"
        "    stop = start + width\n"
        "    return name[start:stop] * gap, name, width, stop\n"
    )
    wrong = changes(function)["wrong variable"]
    assert function.replace("start + width", "start + gap") in wrong
    assert function.replace("[start:stop]", "[start:width]") in wrong
    assert not [text for text in wrong if "len(width)" in text or "start + stop" in text or "name[name" in text]


def test_a_class_loses_a_base_or_a_method() -> None:
    source = (
        "class Stack(list):\n    def push(self, x):\n        self.append(x)\n\n"
        "    def pop(self):\n        return super().pop(0)\n"
    )
    found = changes(source)
    assert source.replace("(list)", "") in found["removed base class"]
    assert any("def pop" not in text for text in found["removed method"])


def test_strings_over_lines_stay_when_their_statement_moves() -> None:
    function = 'def f(a):\n    if a:\n        a = """x\n        y"""\n        a += "z"\n    return a\n'
    moved = changes(function)["removed condition"]
    assert 'def f(a):\n    a = """x\n        y"""\n    a += "z"\n    return a\n' in moved


def test_words_for_people_are_no_place_for_a_fault() -> None:
    """Messages, docstrings and other texts: nobody's test would find them changed, and no user either."""
    function = (
        'def f(a):\n    """Take 2 of a."""\n    if not a:\n        raise ValueError("give 1 or 2 of them")\n'
        '    print("left: 3", f"{len(a)} of 4")\n    return a[:2]\n'
    )
    mutants = mutate(function, 200)
    assert mutants
    for text in ("Take 2 of a.", "give 1 or 2 of them", "left: 3", "of 4"):
        kept = [mutant for mutant in mutants if text in mutant.function]
        # Whole statements may go, with their texts.
        assert all(mutant.operator.startswith(("removed", "combined")) for mutant in mutants if mutant not in kept)


def test_removing_a_loop_leaves_no_name_without_a_value() -> None:
    function = "def f(n):\n    for i in range(n):\n        n -= 1\n    return i + n\n"
    assert "removed loop" not in changes(function)


def test_no_fault_is_one_that_a_linter_names() -> None:
    original = smells(ast.parse(FUNCTION))
    for mutant in mutate(FUNCTION, 500):
        assert not smells(ast.parse(mutant.function)) - original, mutant


@pytest.mark.parametrize(
    ("body", "smell"),
    [
        ("x = 1\nreturn a", "unused name"),
        ("x += 1\nreturn a + x", "never bound"),
        ("y = x\nx = a\nreturn y + x", "read before bound"),
        ("return a\nreturn 1", "unreachable"),
        ("return a + 0", "no effect"),
        ("return max(a, a)", "same operand twice"),
    ],
)
def test_smells(body: str, smell: str) -> None:
    source = "def f(a):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    assert smells(ast.parse(source))[smell] == 1


def test_a_mark_of_the_mutation_is_measured() -> None:
    lines = ["    a = b + {n}", "    if c < {n}:", "        a = c", "    return a"]
    marked, unmarked = [], []
    for number in range(60):
        text = [line.format(n=number) for line in lines]
        right = "\n".join(["def f(b, c):", *text])
        marked.append((str(number), right.replace(f"c < {number}", f"not (c < {number})"), {3}))
        place = number % 4
        unmarked.append((str(number), right.replace(text[place].strip(), text[place].strip() + " "), {place + 2}))
    assert surface_tells(marked).found_fraction == 1.0 and any("not (" in rule for rule in surface_tells(marked).rules)
    assert surface_tells(unmarked).found_fraction == 0.0


def test_faults_in_real_code_bear_no_mark() -> None:
    """Flipped operators and moved lines give themselves away no more than the places they stand at."""
    faults = []
    for name in ("textwrap", "posixpath", "ntpath", "bisect", "calendar", "colorsys", "fnmatch", "heapq", "statistics"):
        path = Path(textwrap.__file__).with_name(f"{name}.py")
        for sample in extract_functions(path.read_text(encoding="utf-8"), path.name):
            if isinstance(sample, FunctionSample):
                right = sample.function.splitlines()
                for mutant in mutate(sample.function, 12):
                    matcher = difflib.SequenceMatcher(None, right, mutant.function.splitlines(), autojunk=False)
                    changed = {
                        number + 1
                        for tag, _, _, first, last in matcher.get_opcodes()
                        for number in range(first, max(last, first + 1))
                        if tag != "equal"
                    }
                    faults.append((f"{name}.{sample.name}", mutant.function, changed))
    assert len(faults) > 300
    assert not any(fault.count("not (") > 3 for _, fault, _ in faults)
    assert surface_tells(faults).found_fraction < 0.15


def test_only_definitions_are_mutated() -> None:
    with pytest.raises(ValueError, match="text of one function"):
        mutate("x = 1\n")
