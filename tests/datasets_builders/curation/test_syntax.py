"""Every grammar takes a valid file of its language and finds the mistake in a broken one."""

import pytest

from datasets_builders.curation.syntax.metrics import Meter
from datasets_builders.curation.syntax.parsing import load_parser, max_error_fraction
from datasets_builders.languages.grammars import GRAMMARS

VALID = {
    "Python": "def add(a, b):\n    return a + b\n",
    "JavaScript": "class A { #x = 1; get x() { return this.#x ?? 0; } }\n",
    "TypeScript": "interface A { x: number }\nconst a: A = { x: 1 };\n",
    "TSX": "const A = (p: { x: number }) => <b>{p.x}</b>;\n",
    "Java": "record Point(int x, int y) { int sum() { return x + y; } }\n",
    "C": "int add(int a, int b) { return a + b; }\n",
    "C++": "template <class T> T add(T a, T b) { return a + b; }\n",
    "C#": "class A { int Add(int a, int b) => a + b; }\n",
    "Go": "package a\n\nfunc Add(a, b int) int { return a + b }\n",
    "Rust": "fn add(a: i32, b: i32) -> i32 { a + b }\n",
    "Ruby": "def add(a, b)\n  a + b\nend\n",
    "PHP": "<?php\nfunction add(int $a, int $b): int { return $a + $b; }\n",
    "Shell": 'add() {\n  echo "$(($1 + $2))"\n}\n',
    "Lua": "local function add(a, b)\n  return a + b\nend\n",
    "Kotlin": "class Point(val x: Int) {\n  fun sum(y: Int): Int = x + y\n}\n",
    "Scala": "case class Point(x: Int) { def sum(y: Int): Int = x + y }\n",
    "Dart": "class Point { final int x; Point(this.x); int sum(int y) => x + y; }\n",
    "Swift": "struct Point { let x: Int\n  func sum(_ y: Int) -> Int { x + y }\n}\n",
}


def error_fraction(language: str, text: str) -> float:
    return Meter.of(language).measure(text).error_fraction


@pytest.mark.parametrize("language", sorted(GRAMMARS))
def test_a_valid_file_parses_and_one_with_stray_brackets_does_not(language):
    text = VALID[language]
    assert error_fraction(language, text) == 0.0
    assert error_fraction(language, text + ")}])}])}])}])\n") > max_error_fraction(language)


def test_a_language_without_a_grammar_has_no_parser():
    assert load_parser("Batchfile") is None


def test_one_mistake_in_a_long_python_file_is_found_and_one_macro_in_a_long_c_file_is_forgiven():
    python = VALID["Python"] * 200 + "def broken(:\n    pass\n"
    assert error_fraction("Python", python) > max_error_fraction("Python")
    c = VALID["C"] * 200 + "DECLARE_THING(int x; y) int z\n"
    assert 0 < error_fraction("C", c) <= max_error_fraction("C")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("TypeScript", 'export declare const add: import("./types.js").Fn<Date, import("./fp.js").Arg<Date>>;\n'),
        ("TypeScript", "export default function (): { a: string };\n"),
        ("TypeScript", "export type * from './types';\n"),
        (
            "TypeScript",
            "interface Box<\n  /** of */\n  out Shape extends object,\n  in T = never,\n  in out U = T\n> {}\n",
        ),
        ("TSX", "export type * from './types';\n"),
        ("JavaScript", "export { _null as null, _catch as catch };\n"),
        ("JavaScript", "export {_if as if};\n"),
        ("JavaScript", "let using = '';\nusing += (using ? ',' : 'using ') + b;\n"),
        ("JavaScript", "using.a();\nusing[0] = using(1);\n"),
        ("JavaScript", "import defer * as a from 'a';\nimport source b from 'b';\n"),
        ("JavaScript", "import a from './a.json' assert { type: 'json' };\n"),
        ("JavaScript", "class A {\n  static accessor #b = 1;\n  accessor c;\n}\n"),
        ("TypeScript", "abstract class A {\n  abstract accessor b: number;\n}\n"),
        (
            "TypeScript",
            "type A<type> =\n  | (type extends 'a' ? B : never)\n  | (type extends C\n      ? D\n      : never);\n",
        ),
        ("TypeScript", "type A<\n  out b extends C | readonly unknown[] = C,\n  ///\n  in out d = b\n> = E<b, d>;\n"),
        ("Rust", "macro_rules! a {\n    ((~$($b:tt)*) $c:tt) => {\n        d!(~~~~ $c)\n    };\n}\n"),
        ("Rust", 'unsafe extern "C" {\n    pub safe fn a();\n    safe static B: u8;\n}\n'),
        ("Kotlin", "fun f(x: Any) = when (x) {\n    is String if x.length > 1 -> 1\n    else -> 2\n}\n"),
        ("Kotlin", "class A : B() {\n    override fun <R : Any> suspend(a: Q<R>): R {\n        return a\n    }\n}\n"),
        ("Kotlin", "val y = object : A { override val z get() = 1 }\n"),
    ],
)
def test_valid_code_that_a_grammar_does_not_know_is_no_error(language, text):
    assert load_parser(language).parse(text.encode()).root_node.has_error
    assert error_fraction(language, text) == 0.0
    assert error_fraction(language, text + ")}]") > 0


@pytest.mark.parametrize(
    "text",
    [
        'class A : public Q {\n    Q_OBJECT\n    Q_INFO("a", "b")\n\nprivate:\n    void f(E *event) override;\n};\n',
        "class A_EXPORT B {\npublic:\n  using C = int;\n};\n",
        "class Net_API B: public C\n  /// Says what B is.\n{\npublic:\n  enum D { E, F };\n  explicit B(int a);\n};\n",
        "class B final : public A {\n Q_OBJECT\npublic slots:\n  void f();\nsignals:\n  void g(int a);\n};\n",
        "PXR_NAMESPACE_USING_DIRECTIVE\n\nclass Scene\n{\n\n};\n",
        'TEST_CASE_TEMPLATE("some test", T, float, double)\n{\n  CHECK(T(1) == 1);\n}\n',
        "enum E {\n  #define DEFINE(A, B) A = B,\n      LIST_OF(DEFINE)\n  #undef DEFINE\n};\n",
        "EXPORTED\nvoid f() {}\n",
        "UCLASS(Blueprintable)\nclass G_API U : public A\n{\n  GENERATED_BODY()\npublic:\n"
        '  UPROPERTY(EditAnywhere,\n    Category="X")\n  int32 c = 0;\n};\n',
        "class V_EXPORT C : public A\n{\npublic:\n  vtkSetClampMacro(Height, double, 0.0, V_MAX);\n};\n",
        "void CPL_DLL f(void);\nchar CPL_DLL *g(int a);\n",
        "CVAPI(void) f( const A* a, A* b,\n    const A* c CV_DEFAULT(NULL) );\n",
        "#ifdef A\nint f(int a) {\n#elif B\nint f(char a) {\n#else\nint f(long a) {\n#endif\n  return 0;\n}\n",
        "#if 0\nnever {{{\n# if A\nnever {\n# endif\n#else\nint f();\n#endif\n",
        "# /* Copyright\n#  * A B C D E F\n#  */\n#\n# define A\n",
        "template(typename I, typename S = decltype(end(I())))(\n"
        "    requires input<I> AND sentinel_for<S, I>)\nI f(I i, S s) { return i; }\n",
        "struct S {\n  template <typename A, typename B>\n  X_CONSTEXPR S(A a, B b)\n    : a_(a)\n  {\n  }\n};\n",
        "#define HEAD(a, b) \\\nstruct a { \\\n  struct b *c; /* root */ \\\n}\n\n"
        "#define NODE(a) \\\n/* One of two,                 \\\n * or none. */ \\\nvoid a##_f(int b) {  \\\n}\n",
        "#define INIT(a) do { \\\n  (a)->b = 0; \\\n} while (/*CONSTCOND*/ 0)\n\nint f();\n",
    ],
)
def test_macros_and_conditions_of_valid_headers_are_no_errors(text):
    assert load_parser("C++").parse(text.encode()).root_node.has_error
    assert error_fraction("C++", text) <= max_error_fraction("C++")
    assert error_fraction("C++", text + ")}])}])}])}])\n" * (1 + len(text) // 50)) > max_error_fraction("C++")


def test_one_brace_behind_an_ifdef_makes_no_error_of_the_functions_that_follow_it():
    opened = "#ifdef __cplusplus\nnamespace a\n{\n#endif\n" + VALID["C++"] * 20
    assert load_parser("C++").parse(opened.encode()).root_node.children[0].is_error
    assert 0 < error_fraction("C++", opened) <= max_error_fraction("C++")


def test_a_pattern_of_bash_that_the_grammar_does_not_know_is_forgiven():
    pattern = "[[ $1 == @(help|[h?]) ]] && return\n"
    assert 0 < error_fraction("Shell", VALID["Shell"] * 20 + pattern) <= max_error_fraction("Shell")
    several = "case $1 in\n  --help | -!(-*)@([sD]|[hV]*)) return ;;\n  @(*/|[.~])*) f ;;\nesac\n"
    assert error_fraction("Shell", several) <= max_error_fraction("Shell")
    assert error_fraction("Shell", "[[ $1 == @(help|[h?]) ]] && )}])}])\n") > max_error_fraction("Shell")


def test_of_python_the_interpreter_has_the_last_word():
    text = "def f(a, b):\n    first, *rest = a, *[]\n    return *[None] * 3, *b, *([first] * 2)\n" * 9
    assert error_fraction("Python", text) == 0
    for broken in ("def (:\n", "print 'a'; return *[]* * 3\n", "x = \0 *[]\n", "x = " + "(" * 9_000):
        assert error_fraction("Python", text + broken) > 0


def test_of_zsh_the_grammar_of_bash_says_nothing():
    text = "setopt extendedglob\nfor f (*.c(N)) print $f:t\n"
    assert error_fraction("Shell", text) == 0.0 < error_fraction("Shell", text.replace("setopt", "shopt"))
