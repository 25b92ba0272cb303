"""What users of peers (MultiPL-E, Stryker, PIT, extractors on tree-sitter) report as wrong, right here."""

import pytest

from datasets_builders.synthesis.program_analysis.extraction import Refusal

pytestmark = pytest.mark.slow

FORMS = """
export const total = (a, b) => {
  return a + b;
};
const twice = function (n) {
  return n * 2 + LIMIT;
};
const LIMIT = 3;
const numbers = function* (n) {
  yield n;
};
export default function named(text) {
  return text.length + "!";
}
const first = (n) => n + 1, second = (n) => n * 2;
const uses = (n) => {
  return first(second(n));
};
export const tagged = ({ a, b = 2 }, ...rest) => {
  return [a, b, rest.length];
};
"""


def test_functions_in_the_forms_of_today_are_found(functions_of) -> None:
    # chelslava/mcp-context-tree#16, parcadei/llm-tldr#70, jgravelle/jcodemunch-mcp#29, RakuenSoftware/aimee#775
    found = functions_of("JavaScript", FORMS)
    cut_out = {name for name, sample in found.items() if not isinstance(sample, Refusal)}
    assert cut_out == {"total", "twice", "named", "uses", "tagged"}
    assert "const first = (n) => n + 1, second" in found["uses"].code


OVERLOADS = """
export function join(a: string): string;
export function join(a: string, b: string): string;
export function join(a: string, b = "-"): string {
  return a + b;
}
"""


def test_signatures_of_an_overloaded_function_stay_with_it(functions_of) -> None:
    sample = functions_of("TypeScript", OVERLOADS)["join"]
    assert sample.function.startswith("function join(a: string): string;\nfunction join(a: string, b: string)")


def test_endless_changes_are_ended_and_are_no_kills(observed) -> None:
    # hcoles/pitest#364, stryker-mutator/stryker4s#312, stryker-mutator/stryker-js#2447
    source = "function down(n) {\n  let i = n % 50;\n  while (i > 0) {\n    i = i - 1;\n  }\n  return n + ':' + i;\n}\n"
    _, observation = observed("JavaScript", source)["down"]
    faults = [mutant.mutant.function for mutant in observation.mutants]
    assert observation.check and not any("i = i + 1" in fault for fault in faults)


CPP = """
float area(float a, float b) {
    float half = a * b / 2;
    return half + 0.1f;
}
double negated(int n) {
    double zero = 0.0 * n;
    return n > 3 ? zero * -1.0 : n;
}
int at(const std::vector<int>& values, int index) {
    int doubled = values[index] * 2;
    return doubled;
}
std::string of_library(const std::string& text) {
    std::unordered_map<std::string, int> seen{{"alpha", 1}, {"beta", 2}, {"gamma", 3}, {text, 4}};
    std::string order;
    for (const auto& entry : seen) order += entry.first;
    return order;
}
int freed(int n) {
    std::vector<int> values{7, 8, 9, n};
    const int* last = &values[3];
    for (int i = 0; i < 100; i++) values.push_back(i);
    return *last + 1;
}
std::vector<std::string> none_or_many(int n) {
    std::vector<std::string> result;
    for (int i = 0; i < n % 4; i++) result.push_back(std::string(i, 'x'));
    return result;
}
"""


def test_numbers_and_crashes_in_cpp(observed) -> None:
    seen = {name: observation for name, (_, observation) in observed("C++", CPP).items()}
    # nuprl/MultiPL-E#51: a double is not equal to the float that was returned
    assert seen["area"].check and all(call.answer.endswith("f") for call in seen["area"].calls)
    # phate/jlm#59
    assert "-0.0" in {call.answer for call in seen["negated"].calls}
    # hcoles/pitest#630: what one call breaks is not lost for the others
    assert seen["at"].statuses["raised"] and seen["at"].statuses["ok"] and seen["at"].check
    assert seen["none_or_many"].check
    # helm#477: what iterates over a hash table; and what reads memory that is no longer its own
    assert seen["of_library"].impurity and seen["freed"].impurity


@pytest.mark.parametrize(
    "body",
    [
        'std::hash<std::string> maker;\n    return n + int(maker("a"));',
        "int i = n;\n    return i++ * 2 + i;",
        "int i = n;\n    return std::max(i, ++i);",
        "long most = LONG_MAX;\n    return int(most % 7) + n;",
        "int size = sizeof(long);\n    return size + n;",
        "int size = sizeof(char *);\n    return size + n;",
    ],
)
def test_what_another_compiler_may_answer_otherwise_is_refused(functions_of, body: str) -> None:
    refusal = functions_of("C++", f"int f(int n) {{\n    {body}\n}}\n")["f"]
    assert isinstance(refusal, Refusal) and refusal.reason == "implementation_defined"


@pytest.mark.parametrize(
    "body",
    [
        "int i = n;\n    return i++ + n;",
        "int i = n;\n    return i > 0 && ++i > 2;",
        "int a[3] = {n, 1, 2};\n    return sizeof(a) / sizeof(a[0]);",
        "int size = sizeof(long long);\n    return size + n;",
        "int hash = n * 31;\n    return hash + 1;",
    ],
)
def test_what_the_standard_settles_is_kept(functions_of, body: str) -> None:
    assert not isinstance(functions_of("C++", f"int f(int n) {{\n    {body}\n}}\n")["f"], Refusal)


@pytest.mark.parametrize("body", ["double r = Math.random();", "String r = System.lineSeparator();"])
def test_chance_and_the_platform_are_refused_in_java(functions_of, body: str) -> None:
    refusal = functions_of("Java", f"class A {{\n  static int f(int n) {{\n    {body}\n    return n;\n  }}\n}}\n")["f"]
    assert isinstance(refusal, Refusal) and refusal.reason == "impure_module"


GO = """
package p

import "math"

func keys(n int) []int {
	seen := map[int]bool{}
	for i := 0; i < 5+n%3; i++ {
		seen[i*n] = true
	}
	result := []int{n}
	for key := range seen {
		result = append(result, key)
	}
	return result
}

func zero(n float64) float64 {
	if n > 1 {
		return math.Copysign(0, -1)
	}
	return n
}

func wide(a uint8, b uint8) (uint8, int64) {
	sum := a + b
	return sum, int64(a) + int64(b)
}
"""


def test_order_of_maps_and_widths_in_go(observed) -> None:
    seen = {name: observation for name, (_, observation) in observed("Go", GO).items()}
    # max-sixty at zesterer/chumsky#317: what iterates over a hash table differs from run to run
    assert seen["keys"].impurity
    assert "math.Copysign(0, -1)" in {call.answer for call in seen["zero"].calls}
    assert seen["wide"].check and seen["wide"].calls[0].answer.count(",") == 1


JAVA = """
class Numbers {
    static float[] halves(float[] values) {
        float[] result = new float[values.length];
        for (int i = 0; i < values.length; i++) result[i] = values[i] / 2;
        return result;
    }
    static long square(long n) {
        long result = n * n;
        return result;
    }
    static String show(Object value) {
        String text = value == null ? "nothing" : value.toString();
        return text + "!";
    }
    static int identity(int n) {
        Object lock = new Object();
        return n + lock.hashCode() % 2;
    }
}
"""


def test_arrays_and_suffixes_in_java(observed) -> None:
    seen = {name: observation for name, (_, observation) in observed("Java", JAVA).items()}
    # randoop/randoop#1374: without the suffix a list of doubles is no float[]
    assert seen["halves"].check.startswith("assert Arrays.equals(Numbers.halves(new float[] {")
    assert all(call.answer.endswith("L") for call in seen["square"].calls) and seen["square"].calls
    assert seen["show"].check
    assert seen["identity"].impurity or not seen["identity"].calls
