"""Section 2.4: what decides whether an answer is right, as data that travels with a question.

A verifier is a JSON object: `kind` says what the answer is and how it is judged, `limits` what it may use. The README
of this folder documents the fields of each kind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from evals.execution import Limits

CODE, DIFF, TESTS, EXPRESSION, LITERAL, TEXT, SQL = "code", "diff", "tests", "expression", "literal", "text", "sql"
PLACEHOLDER = "???"
# Questions of `synthetic_qa`, by how their answers are judged.
_KINDS = {
    "code_repair": CODE,
    "docstring_to_code": CODE,
    "refactoring": CODE,
    "repair_as_diff": DIFF,
    "test_writing": TESTS,
    "input_prediction": EXPRESSION,
    "counterexample": EXPRESSION,
    "execution_prediction": LITERAL,
    "argument_afterwards": LITERAL,
    "local_value": LITERAL,
    "faulty_line": TEXT,
    "branch_prediction": TEXT,
    "exception_prediction": TEXT,
    "sql_query": SQL,
}


@dataclass(frozen=True)
class VerifierLimits:
    """What running an answer may use."""

    wall_seconds: float = 10.0
    memory_bytes: int = 512 << 20
    output_bytes: int = 64 << 10

    def for_sandbox(self) -> Limits:
        """Return them as the executor takes them."""
        return Limits(
            wall_seconds=self.wall_seconds,
            cpu_seconds=self.wall_seconds,
            memory_bytes=self.memory_bytes,
            output_bytes=self.output_bytes,
        )


@dataclass(frozen=True)
class Verifier:
    """How an answer is judged.

    Args:
        kind (`str`): what the answer is: code, diff, tests, expression, literal, text or sql.
        before (`str`): code that runs before the answer's; for a diff the file it applies to, for tests the code they
            are about.
        entry_point (`str`): the function that the answer defines.
        tests (`str`): what has to hold after the answer; for an expression, with `???` in its place.
        expected (`str`): the literal or text that is right; for SQL, the query that is.
        mutants (`tuple` of `str`): programs that tests have to fail on.
        min_killed (`int`): on how many of them.
        setups (`tuple` of `str`): scripts that make the databases that a query runs on.
        ordered (`bool`): whether the order of a query's rows counts.
        limits (`VerifierLimits`): of time, memory and output.
    """

    kind: str
    before: str = ""
    entry_point: str = ""
    tests: str = ""
    expected: str = ""
    mutants: tuple[str, ...] = ()
    min_killed: int = 0
    setups: tuple[str, ...] = ()
    ordered: bool = False
    limits: VerifierLimits = field(default_factory=VerifierLimits)

    def to_json(self) -> str:
        """Return the verifier as a JSON object without what is empty."""
        values = {name: value for name, value in asdict(self).items() if value not in ("", (), 0, False)}
        return json.dumps(values, ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Verifier:
        """Read a verifier.

        Raises:
            ValueError: it is no JSON object, or has a field that is not known.
        """
        values = json.loads(text)
        if not isinstance(values, dict) or values.get("kind") not in _KINDS.values():
            raise ValueError(f"not a verifier: {text[:80]}")
        if unknown := set(values) - set(cls.__dataclass_fields__):
            raise ValueError(f"a verifier has no field {', '.join(sorted(unknown))}")
        for name in ("mutants", "setups"):
            values[name] = tuple(values.get(name, ()))
        return cls(**{**values, "limits": VerifierLimits(**values.get("limits", {}))})


def verifier_of_row(row: Mapping[str, Any]) -> Verifier | None:
    """Return what judges answers to a question of `synthetic_qa` or `sql_qa`, None where nothing does.

    Args:
        row: the question's columns.
    """
    kind = _KINDS.get(row["kind"])
    if kind is None or not set(row["languages"]) <= {"Python", "SQL"}:
        return None
    if kind == SQL:
        return Verifier(SQL, expected=row["query"], setups=(row["setup"], row["second_setup"]), ordered=row["ordered"])
    if kind in (LITERAL, TEXT):
        return Verifier(kind, expected=row["messages"][-1]["content"])
    if kind == EXPRESSION:
        return Verifier(EXPRESSION, before=row["code"], tests=row["check"]) if PLACEHOLDER in row["check"] else None
    if kind == TESTS:
        programs = tuple(_joined(row["context"], mutant) for mutant in row["mutants"])
        return Verifier(TESTS, before=row["code"], mutants=programs, min_killed=row["num_killed"])
    # What the question shows of the tests, and what it does not.
    tests = "\n".join(
        dict.fromkeys([*row["check"].splitlines(), *row.get("fail_to_pass", ()), *row.get("pass_to_pass", ())])
    )
    if not tests:
        return None
    before = row["code"] if kind == DIFF else row["context"]
    return Verifier(kind, before=before, entry_point=row["function"], tests=tests)


def _joined(*parts: str) -> str:
    return "\n\n\n".join(part for part in parts if part)
