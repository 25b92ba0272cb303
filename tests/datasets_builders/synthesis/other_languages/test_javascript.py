"""Functions in JavaScript: what is cut out, what is refused, and what running them shows."""

import pytest

from datasets_builders.synthesis.program_analysis.extraction import Refusal
from datasets_builders.synthesis.program_analysis.other_languages.questions import questions_about
from datasets_builders.synthesis.program_analysis.other_languages.sample import Parameter

SOURCE = """
import { far } from "./far.js";
const util = require("./util");
const LIMIT = 10, STEP = 2;
let total = 0;

/**
 * Double a number, at most to the limit.
 *
 * @example
 * double(3) // => 6
 */
export function double(n) {
  return Math.min(n * STEP, LIMIT);
}

export const twice = (n) => {
  const once = double(n);
  return double(once);
};

export const usesFar = (n) => {
  return far(n) + 1;
};
function usesUtil(n) {
  return util.twice(n);
}
async function waits(n) {
  return await n;
}
function method(n) {
  return this.value + n;
}
function sorted(names) {
  return [...names].sort((a, b) => a.localeCompare(b));
}
function shout(text) {
  console.log(text);
  return text;
}
"""


def test_a_function_comes_with_its_constants_and_helpers_and_without_its_export(functions_of) -> None:
    found = functions_of("JavaScript", SOURCE)
    assert found["twice"].code == (
        "const LIMIT = 10, STEP = 2;\n\nfunction double(n) {\n  return Math.min(n * STEP, LIMIT);\n}\n\n"
        "const twice = (n) => {\n  const once = double(n);\n  return double(once);\n};"
    )
    assert found["twice"].helpers == ("double",)
    assert found["double"].parameters == (Parameter("n"),)
    assert found["double"].docstring.startswith("Double a number, at most to the limit.")
    assert "double(3)" in found["double"].seen_calls


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("usesFar", "import_not_pure"),
        ("usesUtil", "import_not_pure"),
        ("waits", "asynchronous"),
        ("method", "uses_this"),
        ("sorted", "reads_the_locale"),
        ("shout", "unresolved_name"),
    ],
)
def test_what_reaches_further_is_refused(functions_of, name: str, reason: str) -> None:
    found = functions_of("JavaScript", SOURCE)[name]
    assert isinstance(found, Refusal)
    assert found.reason == reason


RUN = r"""
function negate(number) {
  const zero = 0 * number;
  return zero * -1;
}
const seen = [];
function counter(n) {
  seen.push(n);
  return seen.length;
}
function now(n) {
  return new Date(Date.now() + n * 0).getFullYear() > 2027 ? "late" + n : "early" + n;
}
function lots(n) {
  return n + Math.random();
}
function rareLots(n) {
  const lot = Math.random();
  return lot < 1e-12 ? -n : n + 1;
}
function someDay(n) {
  const day = new Date().getDay();
  return day === 9 ? -n : n + 1;
}
function trace(n) {
  const size = new Error("x").stack.length;
  return size + n;
}
function wording(text) {
  try { return JSON.parse(text + "{"); } catch (error) { return error.message; }
}
function dated(time) {
  const date = new Date(Number(time) || 0);
  return date.toISOString() + "!";
}
function zone(hour) {
  return new Date(2024, 0, 1, hour % 24).toISOString() + hour;
}
function forever(n) {
  while (n < 1e9 || true) n += 1;
  return n;
}
function grades(score) {
  if (score > 90) return "A" + score;
  else if (score > 80) return "B" + score;
  return "C" + score;
}
function index(text) {
  const found = new Map();
  for (const part of text.split("")) found.set(part, (found.get(part) || 0) + 1);
  return found;
}
function marked(time) {
  const date = new Date(Number(time) || 0);
  date.note = time;
  return date;
}
function evaluates(text) {
  return new Function("return " + text)();
}
"""


def test_what_running_shows(observed) -> None:
    seen = {name: observation for name, (_, observation) in observed("JavaScript", RUN).items()}
    for name in ("counter", "now", "lots", "zone", "rareLots", "someDay", "trace", "wording"):
        assert seen[name].impurity, name
    assert seen["dated"].calls and not seen["dated"].impurity, "a day that is given is no look at the clock"
    assert seen["forever"].statuses["ok"] == 0 and not seen["forever"].calls
    assert seen["grades"].check.startswith('const assert = require("node:assert");\nassert.deepStrictEqual(grades(')
    assert {call.answer[:2] for call in seen["grades"].calls} >= {'"A', '"C'}, "every branch is entered"
    assert seen["grades"].mutants and all(any(mutant.values) for mutant in seen["grades"].mutants)
    assert all(call.answer.startswith("new Map(") for call in seen["index"].calls) and seen["index"].check
    assert {call.answer for call in seen["negate"].calls} >= {"0", "-0"}, "the two zeros are told apart"
    assert not seen["marked"].calls, "a literal would leave out the note"
    assert "evaluates" not in seen, "code out of text is refused on sight"


def test_values_with_any_line_separator_are_read_whole(observed) -> None:
    source = 'export function framed(text) {\n  return "\\u2028" + text + "\\u0085" + text.length;\n}\n'
    _, seen = observed("JavaScript", source)["framed"]
    assert seen.calls
    assert all("\u2028" in call.answer for call in seen.calls)


def test_a_documented_function_that_always_says_the_same_is_not_asked_for(observed) -> None:
    """Nothing would check what is written: there is no call worth predicting."""
    source = """
/**
 * Return the name of the format in which readers expect to find a table of numbers.
 */
function formatOf(table) {
  const parts = ["comma", "separated"];
  const name = parts.join("-");
  return name;
}
"""
    sample, observation = observed("JavaScript", source)["formatOf"]
    assert sample.docstring
    assert not observation.impurity
    assert not list(questions_about(sample, observation))
