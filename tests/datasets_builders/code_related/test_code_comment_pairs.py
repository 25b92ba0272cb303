# ruff: noqa: E501  (files as they are written)
"""Code-comment pairs: which comment belongs to which definition, in each language with a grammar."""

from pathlib import Path

import pytest
from datasets import load_dataset

from datasets_builders.code_related.code_comment_pairs.builder import CodeCommentPairsBuilder, CodeCommentPairsConfig
from datasets_builders.code_related.code_comment_pairs.claims import unknown_claims
from datasets_builders.code_related.code_comment_pairs.comment_text import comment_text
from datasets_builders.code_related.code_comment_pairs.extraction import pairs
from datasets_builders.code_related.code_comment_pairs.rules import first_broken_pair_rule
from datasets_builders.languages.grammars import GRAMMARS

# Language, file, and (kind, name, comment, first line of the code) of each pair in it.
FILES: list[tuple[str, str, list[tuple[str, str, str, str]]]] = [
    (
        "Python",
        'class A:\n    """A class."""\n\n    @deco\n    def f(self):\n        """Return it."""\n        return 1\n\n\n'
        "# Adds two.\n# Really.\n@deco\ndef add(a, b):\n    return a + b\n\n\ndef no(): pass\n",
        [
            ("class", "A", "A class.", "class A:"),
            ("method", "f", "Return it.", "@deco"),
            ("function", "add", "Adds two.\nReally.", "@deco"),
        ],
    ),
    (
        "JavaScript",
        "/**\n * Adds.\n * @param a it\n */\nexport default function add(a) {}\n// Doubles.\nconst d = (x) => x * 2;\n"
        "class B {\n  /** Name of it. */\n  name() {}\n}\n// Not code.\nconst z = 1;\n",
        [
            ("function", "add", "Adds.\n@param a it", "export default function add(a) {}"),
            ("function", "d", "Doubles.", "const d = (x) => x * 2;"),
            ("method", "name", "Name of it.", "name() {}"),
        ],
    ),
    (
        "TypeScript",
        "/** Adds. */\nexport const add = (a: number): number => a;\n/** Shape. */\nexport interface P { x: number }\n",
        [
            ("function", "add", "Adds.", "export const add = (a: number): number => a;"),
            ("class", "P", "Shape.", "export interface P { x: number }"),
        ],
    ),
    (
        "TSX",
        "/** Button. */\nexport function B() { return <b/>; }\n",
        [("function", "B", "Button.", "export function B() { return <b/>; }")],
    ),
    (
        "Java",
        "/** A class. */\npublic class A {\n  /**\n   * Gets it.\n   * @return it\n   */\n  @Override\n  int get() { return 1; }\n}\n",
        [
            ("class", "A", "A class.", "public class A {"),
            ("method", "get", "Gets it.\n@return it", "@Override"),
        ],
    ),
    (
        "C",
        "/* Adds two. */\nstatic int *add(int a)\n{\n  return 0;\n}\n/* A point. */\nstruct p { int x; };\n/* Uses. */\nstruct p q;\n",
        [("function", "add", "Adds two.", "static int *add(int a)"), ("class", "p", "A point.", "struct p { int x; }")],
    ),
    (
        "C++",
        "/// Adds two.\ntemplate <class T>\nT &add(T a) { return a; }\n/// A box.\nclass Box {\n  // Compares.\n"
        "  bool operator==(Box b) const { return true; }\n};\n",
        [
            ("function", "add", "Adds two.", "template <class T>"),
            ("class", "Box", "A box.", "class Box {"),
            ("method", "operator==", "Compares.", "bool operator==(Box b) const { return true; }"),
        ],
    ),
    (
        "C#",
        "/// <summary>A class.</summary>\npublic class A {\n  /// Gets.\n  [Obsolete]\n  public int Get() { return 1; }\n}\n",
        [("class", "A", "<summary>A class.</summary>", "public class A {"), ("method", "Get", "Gets.", "[Obsolete]")],
    ),
    (
        "Go",
        "package a\n\n// Add adds.\nfunc Add(a int) int { return a }\n\n// P is a point.\ntype P struct { X int }\n\n"
        "// Len is it.\nfunc (p P) Len() int { return 1 }\n",
        [
            ("function", "Add", "Add adds.", "func Add(a int) int { return a }"),
            ("class", "P", "P is a point.", "type P struct { X int }"),
            ("method", "Len", "Len is it.", "func (p P) Len() int { return 1 }"),
        ],
    ),
    (
        "Rust",
        "/// Adds.\n/// Really.\n#[inline]\npub fn add(a: i32) -> i32 { a }\nimpl P {\n    /// Length.\n    fn len(&self) {}\n}\n",
        [("function", "add", "Adds.\nReally.", "#[inline]"), ("method", "len", "Length.", "fn len(&self) {}")],
    ),
    (
        "Ruby",
        "# A class.\nclass A\n  # Adds.\n  def add(a)\n    a\n  end\nend\n",
        [("class", "A", "A class.", "class A"), ("method", "add", "Adds.", "def add(a)")],
    ),
    (
        "PHP",
        "<?php\n/** A class. */\nclass A {\n  /**\n   * Gets.\n   */\n  public function get() {}\n}\n# Adds.\nfunction add() {}\n",
        [
            ("class", "A", "A class.", "class A {"),
            ("method", "get", "Gets.", "public function get() {}"),
            ("function", "add", "Adds.", "function add() {}"),
        ],
    ),
    (
        "Shell",
        "#!/bin/sh\nprint_it() {\n  echo\n}\n# Other.\nfunction other {\n  echo\n}\n",
        [("function", "other", "Other.", "function other {")],
    ),
    (
        "Lua",
        "--- Adds.\n-- @param a it\nlocal function add(a)\nend\n--[[ Block\nof it ]]\nfunction M.sub() end\n",
        [
            ("function", "add", "Adds.\n@param a it", "local function add(a)"),
            ("function", "M.sub", "Block\nof it", "function M.sub() end"),
        ],
    ),
    (
        "Kotlin",
        "/** A class. */\nclass A {\n  // Gets.\n  fun get(): Int { return 1 }\n}\n",
        [("class", "A", "A class.", "class A {"), ("method", "get", "Gets.", "fun get(): Int { return 1 }")],
    ),
    (
        "Scala",
        "/** An object. */\nobject B {\n  // Gets.\n  def get: Int = 1\n}\n",
        [("class", "B", "An object.", "object B {"), ("method", "get", "Gets.", "def get: Int = 1")],
    ),
    (
        "Dart",
        "/// A class.\nclass A {\n  /// Gets.\n  @override\n  int get(int a) { return 1; }\n}\n/// Adds.\nint add(int a) => a;\n",
        [
            ("class", "A", "A class.", "class A {"),
            ("method", "get", "Gets.", "@override"),
            ("function", "add", "Adds.", "int add(int a) => a;"),
        ],
    ),
    (
        "Swift",
        "/// A point.\n@objc\nstruct P {\n  /// Makes one.\n  init(x: Int) {}\n  /**\n   Adds.\n   - Parameter a: it\n   */\n"
        "  @discardableResult\n  func add(_ a: Int) -> Int { a }\n}\n/// What can be named.\nprotocol Named {\n  /// Name of it.\n"
        "  func name() -> String\n}\n/// More of it.\nextension P: Named {}\n",
        [
            ("class", "P", "A point.", "@objc"),
            ("method", "init", "Makes one.", "init(x: Int) {}"),
            ("method", "add", "Adds.\n- Parameter a: it", "@discardableResult"),
            ("class", "Named", "What can be named.", "protocol Named {"),
            ("method", "name", "Name of it.", "func name() -> String"),
            ("class", "P", "More of it.", "extension P: Named {}"),
        ],
    ),
]


@pytest.mark.parametrize(("language", "text", "expected"), FILES, ids=[language for language, _, _ in FILES])
def test_the_comment_above_a_definition_belongs_to_it(
    language: str, text: str, expected: list[tuple[str, str, str, str]]
) -> None:
    found = pairs(language, text)["pairs"]
    assert [(pair["kind"], pair["name"], pair["comment"], pair["code"].split("\n")[0]) for pair in found] == expected
    raw = text.encode()
    for pair in found:
        assert raw[pair["comment_start"] : pair["comment_end"]].decode() == pair["raw_comment"]


def test_every_language_with_a_grammar_has_a_case() -> None:
    assert set(GRAMMARS) == {language for language, _, _ in FILES}


@pytest.mark.parametrize(
    "text",
    [
        "# A licence.\n\ndef f():\n    return 1\n",
        "x = 1  # of x\ndef f():\n    return x\n",
        'def f():\n    return 1\n    #"""Nothing"""\n',
        'def f():\n    x = """no docstring"""\n',
        "def f():\n    return 1\n# behind it\n",
    ],
)
def test_other_comments_belong_to_nothing(text: str) -> None:
    assert pairs("Python", text)["pairs"] == []


def test_code_has_no_docstring_and_no_indentation_of_its_place() -> None:
    text = 'class A:\n    def f(self):\n        r"""Say.\n\n          more\n        """\n\n        if self:\n            return 1\n'
    (pair,) = pairs("Python", text)["pairs"]
    assert pair["code"] == "def f(self):\n\n    if self:\n        return 1"
    assert pair["comment"] == "Say.\n\nmore"
    (one_line,) = pairs("Python", 'def g(): """Say it."""; return 1\n')["pairs"]
    assert one_line["comment"] == "Say it." and "Say" not in one_line["code"]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("/*\n *\n * A\n *   b\n */", "A\n  b"),
        ("/*! A */", "A"),
        ("/// a\n///\n/// b", "a\n\nb"),
        ("//! a", "a"),
        ("########\n# a\n########", "a"),
        ("// ------\n// a\n// ------", "a"),
        ("=begin\na\n=end", "a"),
        ("/* a */\n/* b */", "a\nb"),
        ("# * a point\n# * another", "* a point\n* another"),
        ("'''a'''", "a"),
        ("#no blank", "#no blank"),
    ],
)
def test_signs_of_comments_go_and_what_they_say_stays(raw: str, text: str) -> None:
    assert comment_text(raw) == text


@pytest.mark.parametrize(
    ("language", "comment", "unknown"),
    [
        ("Java", "@param a it\n@param b gone\n@throws IOException never", ["b"]),
        ("JavaScript", "@param {Array<string>} [a=1] it\n@param {*} target gone", ["target"]),
        ("PHP", "@param string|null $a it\n@param array<int, X>|false $gone", ["gone"]),
        ("C++", "\\param[in] a it\n\\param [out] b gone\n@tparam T the type", ["b"]),
        ("Lua", "@tparam string a it\n@tparam[opt] int gone", ["gone"]),
        ("C#", '<param name="a">it</param><param name="gone">x</param>', ["gone"]),
        ("Python", ":param int a: it\n:param b: gone\n:raises ValueError: never", ["b"]),
        (
            "Python",
            "Say.\n\nArgs:\n    a (int): it\n        more: of it\n    *b: gone\n\nRaises:\n    Error: no",
            ["b"],
        ),
        (
            "Python",
            "Say.\n\nParameters\n----------\na : int\n    It.\nb : str, optional\n    Gone.\n\nReturns\n-------\nc : int",
            ["b"],
        ),
        ("Python", "Say it: a and b. Parameters of the model are not here.", []),
        ("Swift", "Adds.\n- Parameter a: it\n- parameter b: gone\n- Returns: it", ["b"]),
        ("Swift", "Adds.\n- Parameters:\n  - a: it\n  - b: gone\n- Throws: `never`", ["b"]),
    ],
)
def test_parameters_that_the_code_does_not_have_are_told(language: str, comment: str, unknown: list[str]) -> None:
    assert unknown_claims("def f(a): return T(a)", comment, language) == unknown


@pytest.mark.parametrize(
    ("language", "code", "comment", "unknown"),
    [
        (
            "Python",
            "@cached_property\ndef degree(self):\n    return View(self)",
            "Degrees.\n\nParameters\n----------\nnbunch : single node\n    It.",
            [],
        ),
        (
            "Python",
            "def draw(G, pos=None, **kwds):\n    pass",
            "Draw.\n\nParameters\n----------\nG : graph\n    It.\nalpha : float\n    How.",
            [],
        ),
        ("Python", "def draw(G, *, pos=None):\n    f(**pos)", "Draw.\n\nArgs:\n    G: it\n    alpha: gone", ["alpha"]),
        ("Python", "class A(Base, metaclass=M):\n    def f(self): pass", "A.\n\nArgs:\n    path (str): it", []),
        (
            "Python",
            "class A:\n    def __init__(self, path): pass",
            "A.\n\nArgs:\n    path (str): it\n    gone: x",
            ["gone"],
        ),
        (
            "JavaScript",
            "function concat() {\n  var length = arguments.length;\n}",
            "Concats.\n@param {Array} array it\n@param {...*} [values] them",
            [],
        ),
        ("JavaScript", "function ms({ years, months }) {\n}", "Ms.\n@param duration - it", []),
        ("TypeScript", "function ms(a: { years: number }) {\n}", "Ms.\n@param a - it\n@param gone - it", ["gone"]),
        ("JavaScript", "function words(string) {\n}", "Words.\n@param {string} The string to inspect.", []),
        (
            "Ruby",
            "def before(*args, &block)\nend",
            "Before.\n@overload before(scope, &block)\n  @param scope [Symbol] it",
            [],
        ),
        ("Ruby", "def add(name)\nend", "Adds.\n@param [String] name it\n@param [Hash] gone it", ["gone"]),
        ("Ruby", "def add(name)\nend", "Adds.\n@param name [String] it\n@param gone [Hash] it", ["gone"]),
        (
            "Python",
            "def f(x, y):\n    pass",
            "F.\n\nParameters\n----------\nx, y : int\n    Both.\na, b : int\n    Gone.",
            ["a", "b"],
        ),
        (
            "Python",
            "def f(x, y):\n    pass",
            "F.\n\nParameters\n----------\nx\n    It.\nz\n    Gone.\n\nReturns\n-------\nint",
            ["z"],
        ),
        (
            "Python",
            "def f(x, y):\n    pass",
            "F.\n\nArgs:\n-----\nx: It.\nz: Gone.\n\nReturns:\n--------\nint: that",
            ["z"],
        ),
        ("Rust", "fn f(x: i32) {}", "F.\n\n# Arguments\n\n* `x` - It.\n* `z` - Gone.\n\n# Returns\n\nNothing.", ["z"]),
        ("Java", "<T> T f(T x) {}", "F.\n@param <T> the type\n@param x it\n@param z gone", ["z"]),
        ("PHP", "function f(...$args) {}", "F.\n@param string $name it", []),
        ("C", "int f(int a, ...) { va_list ap; }", "F.\n\\param a it\n\\param format it", []),
        (
            "Python",
            "def f(a):\n    pass",
            "F.\n\n:param a: it\n:type a: int\n:param str b: gone\n:keyword c: gone",
            ["b", "c"],
        ),
        ("Lua", "function f(a, ...) end", "F.\n@param a it\n@param b it", []),
        (
            "JavaScript",
            "function f(o) {}",
            "F.\n@param {Object} o it\n@param {string} o.name its\n@param {number} [o.size=3] its",
            [],
        ),
    ],
)
def test_what_users_of_checkers_of_docstrings_report(
    language: str, code: str, comment: str, unknown: list[str]
) -> None:
    """Code that takes more than it names decides nothing; every way of documenting a parameter is known."""
    assert unknown_claims(code, comment, language) == unknown


GOOD = (
    "def f(values):\n    return sum(values)",
    "Return the sum of all the values.",
    "# Return the sum of all the values.",
)


@pytest.mark.parametrize(
    ("code", "comment", "raw", "rule"),
    [
        (*GOOD, None),
        ("x = 1", *GOOD[1:], "code_chars"),
        ("x" * 100_001, *GOOD[1:], "code_chars"),
        ("value = 1\n" * 101, *GOOD[1:], "code_lines"),
        ("value = 1\n" * 100, *GOOD[1:], None),
        (GOOD[0], " ", "# ", "no_comment"),
        (GOOD[0], "short", "# short", "comment_chars"),
        (GOOD[0], "=-" * 40, "# " + "=-" * 40, "special_characters"),
        (GOOD[0], GOOD[1], "# TODO: " + GOOD[1], "annotation"),
        (GOOD[0], GOOD[1], "# FIXME(me): " + GOOD[1], "annotation"),
        (GOOD[0], GOOD[1], "# A todo list is made of " + GOOD[1], None),
        (GOOD[0], GOOD[1], '// <editor-fold desc="x">' + GOOD[1], "annotation"),
        (GOOD[0], GOOD[1], "// region " + GOOD[1], "annotation"),
        (GOOD[0], GOOD[1], "// Return the region of " + GOOD[1], None),
        (
            GOOD[0],
            "计算所有值的总和并将其作为结果返回给调用者以便进一步处理使用数据",
            "# 计算所有值的总和并将其作为结果返回",
            None,
        ),
    ],
)
def test_the_seven_rules(code: str, comment: str, raw: str, rule: str | None) -> None:
    broken = first_broken_pair_rule(code, comment, raw)
    assert (broken[0] if broken else None) == rule


SCRIPTS = {
    "Latin": "Gibt die Summe aller Werte zurück, die größer als null sind.",
    "Greek": "Επιστρέφει το άθροισμα όλων των τιμών που δόθηκαν.",
    "Cyrillic": "Возвращает сумму всех переданных значений списка.",
    "Armenian": "Վերադարձնում է բոլոր տրված արժեքների գումարը:",
    "Georgian": "აბრუნებს ყველა მოცემული მნიშვნელობის ჯამს.",
    "Hebrew": "מחזירה את הסכום של כל הערכים שניתנו לפונקציה.",
    "Arabic": "تُعيد مجموع كل القيم التي أُعطيت للدالة هنا.",
    "Devanagari": "दिए गए सभी मानों का योग लौटाता है और कुछ नहीं।",
    "Bengali": "প্রদত্ত সমস্ত মানের যোগফল ফেরত দেয় এবং শেষ।",
    "Gurmukhi": "ਦਿੱਤੇ ਗਏ ਸਾਰੇ ਮੁੱਲਾਂ ਦਾ ਜੋੜ ਵਾਪਸ ਕਰਦਾ ਹੈ।",
    "Gujarati": "આપેલ તમામ મૂલ્યોનો સરવાળો પરત કરે છે અને બસ.",
    "Tamil": "கொடுக்கப்பட்ட அனைத்து மதிப்புகளின் கூட்டுத்தொகை.",
    "Telugu": "ఇచ్చిన అన్ని విలువల మొత్తాన్ని తిరిగి ఇస్తుంది.",
    "Kannada": "ನೀಡಲಾದ ಎಲ್ಲಾ ಮೌಲ್ಯಗಳ ಮೊತ್ತವನ್ನು ಹಿಂತಿರುಗಿಸುತ್ತದೆ.",
    "Malayalam": "നൽകിയ എല്ലാ മൂല്യങ്ങളുടെയും ആകെത്തുക നൽകുന്നു.",
    "Thai": "คืนค่าผลรวมของค่าทั้งหมดที่ให้ไว้ในรายการนี้",
    "Khmer": "ត្រឡប់ផលបូកនៃតម្លៃទាំងអស់ដែលបានផ្តល់ឱ្យ។",
    "Burmese": "ပေးထားသော တန်ဖိုးအားလုံး၏ ပေါင်းလဒ်ကို ပြန်ပေးသည်။",
    "Han": "返回列表中所有给定值的总和并将其作为结果返回给调用者以便进一步处理使用。",
    "Kana": "あたえられたすべてのあたいのごうけいをかえします。ほかにはなにもしません。",
    "Hangul": "주어진 모든 값의 합계를 반환하며 다른 일은 하지 않습니다.",
    "Ethiopic": "የተሰጡትን ሁሉንም ዋጋዎች ድምር ይመልሳል እና ሌላ ምንም አያደርግም።",
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_comments_in_any_script_keep_their_words_their_place_and_the_rules(script: str) -> None:
    said = SCRIPTS[script]
    text = f'def total(values):\n    """{said}"""\n    return sum(values)\n\n\n# {said}\ndef other(values):\n    return len(values)\n'
    found = pairs("Python", text)["pairs"]
    assert [pair["comment"] for pair in found] == [said, said]
    for pair in found:
        assert text.encode()[pair["comment_start"] : pair["comment_end"]].decode() == pair["raw_comment"]
        assert first_broken_pair_rule(pair["code"], pair["comment"], pair["raw_comment"]) is None


def test_marks_on_letters_are_no_special_characters() -> None:
    marked = "# " + "a\u0300\u0301\u0302\u0303\u0304\u0305" * 30
    assert first_broken_pair_rule(GOOD[0], marked[2:], marked) is None


def test_the_builder_gives_pairs_with_placeholders_and_accounts_for_files(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a.py").write_text(
        'def total(values):\n    """Return the sum of all values; ask jane.roe@company.com why."""\n    return sum(values)\n\n\n'
        "# short\ndef other(values):\n    return values\n"
    )
    (folder / "b.py").write_text("x = 1\n")
    (folder / "c.py").write_text("def broken(:\n")
    (folder / "d.html").write_text("<p>no grammar</p>")
    config = CodeCommentPairsConfig(output_dir=str(tmp_path / "out"), input_dir=str(folder), decontaminate=[])
    result = CodeCommentPairsBuilder(config).run()
    (row,) = load_dataset(str(result.output_dir), split="train")
    assert row["code"] == "def total(values):\n    return sum(values)"
    assert row["comment"].startswith("Return the sum of all values; ask ") and "jane" not in str(row)
    assert row["text"] == f"{row['comment']}\n\n{row['code']}\n"
    assert (row["name"], row["path"], row["start_line"], row["end_line"]) == ("total", "a.py", 1, 3)
    reasons = {step.name: step.reasons for step in result.ledger.steps if step.reasons}
    assert reasons == {
        "extract_pairs": {"no_commented_code": 1, "syntax_error": 1, "no_grammar": 1},
        "pair_rules": {"comment_chars": 1},
    }
