"""Functions of JavaScript and TypeScript that need other files of their package."""

import json

import pytest
from datatrove.data import Document

from datasets_builders.synthesis.program_analysis.extraction import ExtractionLimits, Refusal
from datasets_builders.synthesis.program_analysis.other_languages.javascript_linking import Package
from datasets_builders.synthesis.program_analysis.other_languages.languages import PROGRAM_LANGUAGES
from datasets_builders.synthesis.program_analysis.other_languages.observation import ObservationSettings, observe
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample
from datasets_builders.synthesis.program_analysis.steps.extract import ExtractFromPackages, ExtractFunctions, package_of
from evals.execution import Executor, Program, Verdict

DOUBLE = "export function double(n) {\n  return n * 2;\n}\n"
USE = "export function user(n) {\n  const found = f(n) + 1;\n  return found;\n}\n"

# How files say it; each gives a `user` that doubles and adds one.
FORMS = {
    "name": {"a.js": 'import { double as f } from "./b.js";\n' + USE, "b.js": DOUBLE},
    "extension left out": {"a.js": 'import { double as f } from "./b";\n' + USE, "b.js": DOUBLE},
    "folder": {"lib/a.js": 'import { double as f } from "../b";\n' + USE, "b/index.js": DOUBLE},
    "default function": {"a.js": 'import f from "./b.js";\n' + USE, "b.js": DOUBLE.replace("export", "export default")},
    "default without a name": {
        "a.js": 'import f from "./b.js";\n' + USE,
        "b.js": "const TWO = 2;\nexport default (n) => {\n  return n * TWO;\n};\n",
    },
    "default, named before": {
        "a.js": 'import f from "./b.js";\n' + USE,
        "b.js": DOUBLE.replace("export ", "") + "export default double;\n",
    },
    "list of exports": {
        "a.js": 'import { twice as f } from "./b.js";\n' + USE,
        "b.js": DOUBLE.replace("export ", "") + "export { double as twice };\n",
    },
    "exported again": {
        "a.js": 'import { twice as f } from "./index.js";\n' + USE,
        "index.js": 'export { double as twice } from "./b.js";\n',
        "b.js": DOUBLE,
    },
    "imported and exported": {
        "a.js": 'import { double as f } from "./index.js";\n' + USE,
        "index.js": 'import { double } from "./b.js";\nexport { double };\n',
        "b.js": DOUBLE,
    },
    "all exported again": {
        "a.js": 'import { double as f } from "./index.js";\n' + USE,
        "index.js": 'export * from "./none.js";\nexport * from "./b.js";\n',
        "none.js": "export const other = 1;\n",
        "b.js": DOUBLE,
    },
    "whole module": {"a.js": 'import * as all from "./b.js";\n' + USE.replace("f(n)", "all.double(n)"), "b.js": DOUBLE},
    "require": {
        "a.js": 'var f = require("./b");\n' + USE.replace("export ", "") + "module.exports = user;\n",
        "b.js": DOUBLE.replace("export ", "") + "module.exports = double;\n",
    },
    "require, taken apart": {
        "a.js": 'const { double: f } = require("./b.js");\n' + USE.replace("export ", ""),
        "b.js": "module.exports = { double: (n) => {\n  return n * 2;\n} };\n",
    },
    "require of a member": {
        "a.js": 'const f = require("./b.js").double;\n' + USE.replace("export ", ""),
        "b.js": "exports.double = function (n) {\n  return n * 2;\n};\n",
    },
    "compiled": {
        "a.cjs": '"use strict";\nexports.user = user;\nvar _b = require("./b.cjs");\nvar _c = require("./c.cjs");\n'
        "function user(n) {\n  const found = (0, _b.double)(n) + _c.one;\n  return found;\n}\n",
        "b.cjs": 'exports.double = double;\nvar _b = require("./c.cjs");\n'
        "function double(n) {\n  return n * (_b.one + 1);\n}\n",
        "c.cjs": "const one = (exports.one =\n  1);\n",
    },
    "compiled, default": {
        "a.js": 'const b_1 = __importDefault(require("./b"));\n'
        "function user(n) {\n  const found = b_1.default(n) + 1;\n  return found;\n}\n",
        "b.js": "exports.default = double;\n" + DOUBLE.replace("export ", ""),
    },
    "one of two builds": {"a.cjs": 'const { double: f } = require("./b.cjs");\n' + USE[7:], "b.js": DOUBLE},
}


def functions(texts: dict[str, str], language: str = "JavaScript") -> dict[str, ProgramSample | Refusal]:
    package = Package("package", texts, PROGRAM_LANGUAGES[language].dialect)
    return {found.name: found for path in texts for found in package.functions(path)}


def test_each_way_of_importing_is_followed(executor: Executor) -> None:
    samples = {form: functions(texts)["user"] for form, texts in FORMS.items()}
    assert {form: found for form, found in samples.items() if isinstance(found, Refusal)} == {}
    lines = []
    for form, sample in samples.items():
        assert isinstance(sample, ProgramSample)
        assert "require" not in sample.code and "import" not in sample.code
        lines.append(f"console.log({json.dumps(form)}, (() => {{\n{sample.code}\nreturn user(20);\n}})());")
    result = executor.run(Program("\n".join(lines), "javascript"))
    assert result.verdict is Verdict.PASS, result.stderr
    assert result.stdout.splitlines() == [f"{form} 41" for form in FORMS]


def test_a_program_of_several_files_reads_like_one() -> None:
    sample = functions(FORMS["compiled"])["user"]
    assert isinstance(sample, ProgramSample)
    assert sample.code == (
        "const one = 1;\n\nfunction double(n) {\n  return n * (one + 1);\n}\n\n"
        "function user(n) {\n  const found = double(n) + one;\n  return found;\n}"
    )
    assert sample.helpers == ("double",)


def test_types_are_followed_too() -> None:
    texts = {
        "a.ts": 'import type { Point } from "./types";\nimport * as t from "./types";\n'
        "export function sum(point: Point, more: t.Pair): number {\n  return point.x + point.y + more[0];\n}\n",
        "types.ts": "export interface Point { x: number; y: number }\nexport type Pair = [number, number];\n",
    }
    sample = functions(texts, "TypeScript")["sum"]
    assert isinstance(sample, ProgramSample)
    assert sample.code.startswith("interface Point { x: number; y: number }\n\ntype Pair = [number, number];\n\n")
    assert "more: Pair" in sample.code


@pytest.mark.parametrize(
    ("reason", "texts"),
    [
        ("import_not_pure", {"a.js": 'import { f } from "left-pad";\n' + USE}),
        ("import_not_found", {"a.js": 'import { f } from "./gone.js";\n' + USE}),
        ("not_exported", {"a.js": 'import { f } from "./b.js";\n' + USE, "b.js": DOUBLE}),
        ("module_as_value", {"a.js": 'import * as f from "./b.js";\n' + USE, "b.js": DOUBLE}),
        ("names_collide", {"a.js": 'import { f } from "./b.js";\nconst one = 1;\n' + USE.replace("+ 1", "+ one"),
                           "b.js": "const one = 2;\nexport function f(n) {\n  return n + one;\n}\n"}),
        ("not_exported", {"a.js": 'import { f } from "./b.js";\n' + USE, "b.js": 'export * from "./b.js";\n'}),
        ("not_exported", {"a.js": 'import { f } from "./b.js";\n' + USE, "b.js": 'export { f } from "./a.js";\n'}),
        ("import_not_found", {"a.js": 'import { f } from "../../../b.js";\n' + USE, "b.js": DOUBLE}),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused_with_a_reason(reason: str, texts: dict[str, str]) -> None:
    found = functions(texts)["user"]
    assert isinstance(found, Refusal)
    assert found.reason == reason


def test_modules_that_import_each_other_run(executor: Executor) -> None:
    texts = {
        "even.js": 'import { odd } from "./odd.js";\nexport function even(n) {\n  return n === 0 || odd(n - 1);\n}\n',
        "odd.js": 'import { even } from "./even.js";\nexport function odd(n) {\n  return n !== 0 && even(n - 1);\n}\n',
    }
    sample = functions(texts)["even"]
    assert isinstance(sample, ProgramSample)
    (observation,) = observe(executor, PROGRAM_LANGUAGES["JavaScript"], [sample], ObservationSettings(num_mutants=1))
    assert {call.answer for call in observation.calls} == {"true", "false"}


def row(path: str, text: str, repository: str = "one", language: str = "JavaScript") -> Document:
    return Document(
        text, f"{repository}/{path}", metadata={"path": path, "repository": repository, "language": language}
    )


def test_files_meet_by_repository_and_each_is_accounted_for(tmp_path) -> None:
    rows = [row(path, text) for path, text in FORMS["name"].items()]
    rows += [row("a.js", FORMS["name"]["a.js"], "two"), row("a.js", "export const none = 1;\n", "three")]
    rows += [row("m.py", "def f(n):\n    return n + 1\n", language="Python")]
    limits = ExtractionLimits()
    first = ExtractFunctions(limits, ["Python", "JavaScript"])
    passed = list(first.run(rows))
    assert len({package_of(doc) for doc in passed}) == 4
    step = ExtractFromPackages(limits)
    step.runs_folder = str(tmp_path)
    found = list(step.run(passed))
    assert sorted(doc.metadata["sample"]["name"] for doc in found) == ["double", "f", "user"]
    assert step.counts.reasons == {"import_not_found": 1, "nothing_made": 1}
    assert {(*doc.metadata["parents"],) for doc in found} == {("one/a.js",), ("one/b.js",), ("one/m.py",)}


USER = "export function user(n) {\n  const found = f(n);\n  return found;\n}\n"
# What users of bundlers report as wrong: the value of user(20), or why the function is refused.
REPORTS = {
    "esperantojs/esperanto#117": ("40", {
        "a.js": 'import f from "./foo.js";\n' + USER,
        "foo.js": "export default other;\nfunction other(n) {\n  return foo(n) * 2;\n}\n"
        "function foo(n) {\n  return n;\n}\n",
    }),
    "rollup/rollup#637": ("43", {
        "a.js": 'import b from "./b.js";\nimport { g } from "./c.js";\n' + USER.replace("f(n)", "b(n) + g(n)"),
        "b.js": "export default function (n) {\n  return n + 1;\n}\nexport function h(n) {\n  return n + 2;\n}\n",
        "c.js": 'import * as b from "./b.js";\nexport function g(n) {\n  return b.h(n);\n}\n',
    }),
    "parcel-bundler/parcel#3785": ("names_collide", {
        "a.js": 'import { g as f } from "./b.js";\nimport { g as h } from "./c.js";\n'
        + USER.replace("f(n)", "f(n) + h(n)"),
        "b.js": "export function g(n) {\n  return n + 1;\n}\n",
        "c.js": "export function g(n) {\n  return n + 2;\n}\n",
    }),
    "babel/babel#10803, evanw/esbuild#2322": ("not_exported", {
        "a.js": 'import { f } from "./index.js";\n' + USER,
        "index.js": 'export * from "./b.js";\nexport * from "./c.js";\n',
        "b.js": "export function f(n) {\n  return n + 1;\n}\n",
        "c.js": "export function f(n) {\n  return n + 2;\n}\n",
    }),
    "oven-sh/bun#35724": ("not_exported", {
        "a.js": 'import { f } from "./b.cjs";\n' + USER, "b.cjs": "exports.g = (n) => n;\n",
    }),
    "oven-sh/bun#4413": ("module_as_value", {
        "a.js": 'import f from "./index.js";\n' + USER.replace("f(n)", "f.g(n)"),
        "index.js": 'export * as f from "./b.js";\nimport * as f from "./b.js";\nexport default f;\n',
        "b.js": "export function g(n) {\n  return n + 1;\n}\n",
    }),
}  # fmt: skip


def test_what_users_of_bundlers_report_is_right_or_refused(executor: Executor) -> None:
    found = {}
    for report, (_, texts) in REPORTS.items():
        sample = functions(texts)["user"]
        if isinstance(sample, Refusal):
            found[report] = sample.reason
        else:
            result = executor.run(Program(f"{sample.code}\nconsole.log(user(20));", "javascript"))
            found[report] = result.stdout.strip() or result.stderr
    assert found == {report: expected for report, (expected, _) in REPORTS.items()}
