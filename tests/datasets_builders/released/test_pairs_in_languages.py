"""Preference pairs about functions in other languages than Python."""

from typing import Any

import pytest
from datatrove.data import Document

from datasets_builders.building import Removed
from datasets_builders.released.pairs_in_languages import has_plain_type, literal_kind
from datasets_builders.released.preferences import MakePairs, VerifyPairs

CODE = "function f(n) {\n  return n > 2;\n}\nfunction g(n) {\n  if (n) return n * 2;\n  return `no`;\n}"
ASSERT = 'const assert = require("node:assert");\n'


def question(kind: str = "execution_prediction", **values: Any) -> Document:
    columns: dict[str, Any] = {
        "kind": kind,
        "languages": ["JavaScript"],
        "function": "f",
        "code": CODE,
        "call": "f(1)",
        "answer": "false",
        "check": f"{ASSERT}assert.deepStrictEqual(f(1), false);",
        "context": "",
        "verified_by": "execution",
        "wrong_answers": ["true"],
        "module": "m",
        "cluster": "c",
        "license": "mit",
        "split": "train",
        **values,
    }
    columns["messages"] = [{"content": "What?"}, {"content": columns.pop("content", columns["answer"])}]
    return Document("What?", "id", metadata=columns)


INPUT = {"kind": "input_prediction", "check": f"{ASSERT}assert.deepStrictEqual(f(???), true);", "answer": "f(3)"}
CHECK = f"{ASSERT}assert.deepStrictEqual(f(3), true);"
REPAIR = {"kind": "code_repair", "check": CHECK, "code": "", "content": "```javascript\nconst f = (n) => n > 2;\n```"}
WRONG = "function f(n) {\n  return n < 2;\n}"


@pytest.mark.parametrize(
    ("doc", "reason"),
    [
        (question(), ""),
        (question(wrong_answers=["false"]), "wrong_answers_too_near"),  # nothing wrong about it
        (question(wrong_answers=["12", "null"]), "wrong_answers_of_another_type"),
        (question(wrong_answers=["12", "true"]), ""),
        (question(answer="4", function="g", call="g(2)", wrong_answers=['"no"']), ""),
        (question(answer="5", function="g", call="g(2)", wrong_answers=['"no"']), "chosen_answer_not_verified"),
        (question(answer='"no"', function="g", call="g(0)", wrong_answers=["`no`"]), "rejected_answer_not_verified"),
        (question(**INPUT, wrong_answers=["f(0)"]), "chosen_answer_not_verified"),  # ??? is a whole call
        (question(**{**INPUT, "check": f"{ASSERT}assert.deepStrictEqual(???, true);"}, wrong_answers=["f(0)"]), ""),
        (question(**REPAIR, wrong_answers=[WRONG]), ""),
        (question(**REPAIR, wrong_answers=["function f(n) {\n  return n"]), "rejected_answer_not_verified"),
        (question(**REPAIR, wrong_answers=["function f(n) {\n  return n >= 3;\n}"]), "rejected_answer_not_verified"),
        (question(languages=["Cobol"]), "other_language"),
    ],
)  # fmt: skip
def test_a_pair_is_one_right_and_one_wrong_answer_of_the_type_asked_for(doc: Document, reason: str) -> None:
    made, verify = MakePairs(1, 6000, 0.9), VerifyPairs()
    kept = list(verify.run(made.run([doc])))
    assert {**made.counts.reasons, **verify.counts.reasons} == ({reason: 1} if reason else {})
    if not reason:
        assert kept[0].metadata["language"] == "JavaScript"
        assert kept[0].metadata["rejected"].strip("`").removeprefix("javascript\n").strip() == (
            WRONG if doc.metadata["kind"] == "code_repair" else doc.metadata["wrong_answers"][-1]
        )


def test_languages_can_be_left_out() -> None:
    (outcome,) = MakePairs(1, 6000, 0.9, languages=["Python"]).process(question())
    assert isinstance(outcome, Removed) and outcome.reason == "other_language"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("-12", "number"), ("0.5", "number"), ("NaN", "number"), ("-Infinity", "number"), ("math.Inf(1)", "number"),
        ("12n", "bigint"), ('"12"', "string"), ("'a'", "string"), ("true", "boolean"), ("nil", "nothing"),
        ("undefined", "nothing"), ("[1, 2]", "array"), ("{ a: 1 }", "object"), ("new Map([[1, 2]])", "new Map"),
        ("new int[] {1}", "new int[] "), ("Point{1, 2}", "Point"), ("[]int{1}", "array"), ("List.of(1)", "List.of"),
        ('Double.NaN', "number"), ("12, nil", "number"), ("map[string]int{}", "map[string]int"),
    ],
)  # fmt: skip
def test_literals_are_told_by_kind(text: str, kind: str) -> None:
    assert literal_kind(text) == kind


@pytest.mark.parametrize(
    ("code", "kind", "is_plain"),
    [
        ("function f(n) {\n  return n > 2;\n}", "boolean", True),
        ("const f = (n) => !n;", "boolean", True),
        ("const f = (n) => ({ n });", "object", True),
        ("function f(n) {\n  return [n].map((m) => {\n    return `${m}`;\n  });\n}", "string", False),
        ("function f(n) {\n  if (n) return `a`;\n  return 'b' ;\n}", "string", True),
        ("function f(n) {\n  if (n) return `a`;\n  return n;\n}", "string", False),
        ("function f(n) {\n  if (n) return;\n  return true;\n}", "boolean", False),
    ],
)
def test_the_type_is_plain_where_every_return_says_it(code: str, kind: str, is_plain: bool) -> None:
    assert has_plain_type("JavaScript", code, "f", kind) is is_plain
