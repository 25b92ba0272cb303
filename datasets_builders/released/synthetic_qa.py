"""Section 2.4 (synthetic data): the SyntheticQA dataset, here computed from code by program analysis.

Read top to bottom: functions are cut out of curated files, run in the sandbox, split, asked about; what holds a
benchmark's texts goes (section 2.1).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from datasets_builders.building import BuilderConfig, BuildResult, CardParts, ConfigError, Stage
from datasets_builders.building.atomic import write_json
from datasets_builders.building.dataset_folder import DatasetFolder, ReadRows
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.curation.config import DecontaminationFields
from datasets_builders.curation.pipeline import Curation
from datasets_builders.released.figures import figures_section, held_out_functions
from datasets_builders.released.repair_figures import repair_figures
from datasets_builders.synthesis.program_analysis.extraction import ExtractionLimits
from datasets_builders.synthesis.program_analysis.jobs import DRIVER, ObservationSettings
from datasets_builders.synthesis.program_analysis.other_languages.languages import PROGRAM_LANGUAGES
from datasets_builders.synthesis.program_analysis.other_languages.questions import PROMPT_FOLDER as OTHER_PROMPT_FOLDER
from datasets_builders.synthesis.program_analysis.other_languages.running import RUNTIME_FOLDER
from datasets_builders.synthesis.program_analysis.other_languages.toolchains import check_toolchains
from datasets_builders.synthesis.program_analysis.questions import KINDS
from datasets_builders.synthesis.program_analysis.questions.question import PROMPT_FOLDER, QuestionLimits
from datasets_builders.synthesis.program_analysis.rewriting.steps import WriteVariants
from datasets_builders.synthesis.program_analysis.steps.ask import AskQuestions
from datasets_builders.synthesis.program_analysis.steps.attach_calls import AttachCalls, repository_of
from datasets_builders.synthesis.program_analysis.steps.extract import ExtractFromPackages, ExtractFunctions, package_of
from datasets_builders.synthesis.program_analysis.steps.limit import LimitAnswers
from datasets_builders.synthesis.program_analysis.steps.observe import ObserveFunctions
from datasets_builders.synthesis.program_analysis.steps.split import SplitFunctions

if TYPE_CHECKING:
    from datasets import Features

HELD_OUT_FILE = "held_out_functions.json"

COLUMNS = {
    "mid": "content hash of the question, 32 hex digits",
    "messages": "one user turn and one assistant turn",
    "tags": "the kind of question and the programming language",
    "languages": "programming languages",
    "kind": f"one of {', '.join(KINDS)}",
    "function": "name of the function asked about",
    "module": "its module, derived from the path",
    "path": "its file in the input",
    "repository": "repository of the file, where the input names one",
    "license": "licence of the file, as the input states it",
    "cluster": "functions that are near-duplicates or parts of one another's programs share this id",
    "parents": "id of the function, id of the file's row in the input",
    "code": "kinds about a run: the program; repairs: the faulty program; otherwise empty",
    "call": "kinds about a run: the expression that runs after it; otherwise empty",
    "answer": "kinds about a run, faulty_line: the answer itself, without the words around it; otherwise empty",
    "context": "what the function needs beside itself, where the answer is code; in a program that goes on behind the "
    "function, a comment marks its place",
    "check": "asserts of observed calls, which the right code passes; or a program to run after `code`, with ??? "
    "for the answer, where several are right; empty where nothing could be observed",
    "wrong_answers": "values or code that running showed to be wrong",
    "mutation": "repairs: the kind of fault; otherwise empty",
    "fail_to_pass": "repairs: asserts that the faulty code fails and the right code passes",
    "pass_to_pass": "repairs: asserts that both pass",
    "verified_by": "execution, replay (of a recorded run), doctest, or none: nothing says that the answer is right",
    "call_from": "where the arguments are from: doctest, test, call_site or generated; empty where there is no call",
    "trace": "execution_rationale: the recorded run, a line an event; otherwise empty",
    "mutants": "test_writing: faulty versions of the function",
    "num_killed": "test_writing: how many of them the tests find; otherwise 0",
    "rewrite": "refactoring: the kind of rewrite; otherwise empty",
    "num_compared_calls": "refactoring: calls on which both versions did the same; otherwise 0",
}


@dataclass
class SyntheticQAConfig(DecontaminationFields):
    """Fields of `synthetic_qa`."""

    input: str = field(default="", metadata={"help": "folder of a source_code dataset"})
    more_inputs: list[str] = field(
        default_factory=list, metadata={"help": "further source_code datasets, read as if they were one with input"}
    )
    program_languages: list[str] = field(
        default_factory=lambda: ["Python", *PROGRAM_LANGUAGES],
        metadata={
            "help": "languages whose functions are asked about; each that the input holds needs its toolchain "
            "(bash evals/toolchains.sh), and is an error where that is missing, so that no build depends on the machine"
        },
    )
    isolation: str = field(default="auto", metadata={"help": "sandbox: auto, bubblewrap, namespaces or rlimits"})
    max_code_chars: int = field(
        default=3000, metadata={"help": "longest program (a function with its closure), in characters"}
    )
    max_function_lines: int = field(default=60, metadata={"help": "longest function, in lines"})
    num_candidate_calls: int = field(default=48, metadata={"help": "number of calls tried on each function"})
    max_calls_per_function: int = field(default=6, metadata={"help": "most execution predictions asked of a function"})
    max_repairs_per_function: int = field(default=3, metadata={"help": "most code repairs asked of a function"})
    num_mutants: int = field(default=12, metadata={"help": "number of mutations tried on each function"})
    max_answer_chars: int = field(default=200, metadata={"help": "longest value asked for, in characters"})
    max_answer_fraction: float = field(default=0.1, metadata={"help": "largest part of a kind that one answer may be"})
    max_trivial_fraction: float = field(
        default=0.05,
        metadata={
            "help": "largest part of a kind on functions of one statement, and with answers that stand in the call"
        },
    )
    validation_fraction: float = field(
        default=0.1, metadata={"help": "part of the execution predictions in validation, by clusters of functions"}
    )
    min_validation_calls: int = field(
        default=150, metadata={"help": "execution predictions wanted in validation, where that is at most a fifth"}
    )

    def validate(self) -> None:
        """Check ranges."""
        super().validate()
        for name in ("max_code_chars", "max_function_lines", "num_candidate_calls", "max_answer_chars"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")
        known = ("Python", *PROGRAM_LANGUAGES)
        if unknown := [name for name in self.program_languages if name not in known]:
            raise ConfigError(f"program_languages: {', '.join(unknown)}; known are {', '.join(known)}")
        for name in ("max_calls_per_function", "max_repairs_per_function", "num_mutants", "min_validation_calls"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 0")
        if not 0 <= self.max_trivial_fraction <= 1:
            raise ConfigError(f"max_trivial_fraction is {self.max_trivial_fraction}, but must be from 0 to 1")
        if not 0 < self.max_answer_fraction <= 1:
            raise ConfigError(f"max_answer_fraction is {self.max_answer_fraction}, but must be above 0 and at most 1")
        if not 0 <= self.validation_fraction <= 0.5:
            raise ConfigError(f"validation_fraction is {self.validation_fraction}, but must be from 0 to 0.5")


class SyntheticQABuilder(DerivedBuilder[SyntheticQAConfig]):
    """Questions about functions, whose answers are known because they were computed.

    Source: paper 2.4 for the scenarios and the schema; computing the answers is ours.
    """

    name: ClassVar[str] = "synthetic_qa"
    summary: ClassVar[str] = "question-answer pairs computed from code by program analysis"
    config_class: ClassVar[type[BuilderConfig]] = SyntheticQAConfig
    input_builder: ClassVar[str] = "source_code"
    id_column: ClassVar[str] = "mid"
    text_column: ClassVar[str | None] = None
    counted_column: ClassVar[str | None] = "kind"

    def __init__(self, config: SyntheticQAConfig) -> None:
        super().__init__(config)
        self.curation = Curation(config, self.output_folder)

    @property
    def features(self) -> Features:
        """Columns of the dataset."""
        return question_features()

    def stages(self) -> list[Stage]:
        """Cut functions out of files, run them, ask about what was seen, and drop what a benchmark asks."""
        config = self.config
        settings = ObservationSettings(
            seed=config.seed,
            num_candidates=config.num_candidate_calls,
            num_calls=max(8, config.max_calls_per_function),
            num_mutants=config.num_mutants,
            max_answer_chars=config.max_answer_chars,
        )
        sizes = ExtractionLimits(config.max_code_chars, config.max_function_lines)
        limits = QuestionLimits(max_calls=config.max_calls_per_function, max_repairs=config.max_repairs_per_function)
        return [
            Stage(
                "extract",
                [ReadRows(self.input_paths), ExtractFunctions(sizes, config.program_languages)],
                tasks=config.num_tasks,
            ),
            # A function's imports may stand in any file of its repository.
            Stage("packages", [ExtractFromPackages(sizes)], tasks=config.num_tasks, key=package_of),
            # A function's calls may stand in any file of its repository.
            Stage("calls", [AttachCalls()], tasks=config.num_tasks, key=repository_of),
            Stage(
                "observe",
                [ObserveFunctions(settings, config.isolation), WriteVariants(config.seed, config.isolation)],
                tasks=config.num_tasks,
            ),
            # Splits and shares of answers are properties of the whole.
            Stage(
                "ask",
                [
                    SplitFunctions(
                        config.validation_fraction,
                        config.min_validation_calls,
                        config.max_calls_per_function,
                        config.seed,
                    ),
                    AskQuestions(limits),
                    *self.curation.decontamination(),
                    LimitAnswers(config.max_answer_fraction, config.max_trivial_fraction),
                ],
                tasks=1,
                before=self.curation.index_benchmarks,
            ),
        ]

    @property
    def input_paths(self) -> list[str]:
        """The datasets of code, in order."""
        return [self.config.input, *self.config.more_inputs]

    def check(self) -> None:
        """Raise `ConfigError` when an input is not named, or holds no shards."""
        super().check()
        self.curation.inputs.check()
        languages = {
            row["language"]
            for path in self.input_paths
            for shard in DatasetFolder(path).shards
            for row in shard.rows(["language"])
        }
        check_toolchains(sorted(languages.intersection(self.config.program_languages)))

    def inputs(self) -> list[str]:
        """Return a line per dataset, and what is kept out."""
        return [*super().inputs(), *self.curation.inputs.describe()]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of the inputs, of the prompts and of the benchmarks' texts."""
        # Prompts and the sandbox program are data, which the hash of the code does not cover.
        folders = (PROMPT_FOLDER, OTHER_PROMPT_FOLDER, RUNTIME_FOLDER)
        texts = [DRIVER, *(path.read_text(encoding="utf-8") for folder in folders for path in sorted(folder.iterdir()))]
        prompts = hashlib.sha256("\0".join(texts).encode()).hexdigest()
        return super().input_fingerprint() | self.curation.inputs.fingerprint() | {"prompts": prompts}

    def run(self) -> BuildResult:
        """Build the dataset and list the held-out functions beside it."""
        result = super().run()
        write_json(self.output_folder / HELD_OUT_FILE, held_out_functions(self.output_folder))
        return result

    def card(self) -> CardParts:
        """Return the card's text."""
        return CardParts(
            title="SyntheticQA computed by program analysis",
            description=f"{_DESCRIPTION}\nDecontaminated against: {self.curation.inputs.decontaminated_against}.",
            license=self.license,
            columns=COLUMNS,
            tags=["code", "synthetic"],
            sections={
                "Figures": figures_section(self.output_folder),
                "Repairs, tests and refactorings": repair_figures(self.output_folder),
                "Splits and what is held out": _HELD_OUT,
            },
        )


def question_features() -> Features:
    """Return the columns of question datasets: the released ones first, then ours.

    Source: `mid, messages, tags, languages` as in the released SyntheticQA and SFT datasets.
    """
    from datasets import Features, List, Value

    text = Value("string")
    lists = ("tags", "languages", "parents", "wrong_answers", "fail_to_pass", "pass_to_pass", "mutants")
    columns: dict[str, Any] = {name: List(text) if name in lists else text for name in COLUMNS}
    columns |= {name: Value("int32") for name in ("num_killed", "num_compared_calls")}
    columns["messages"] = List({"role": text, "content": text})
    return Features(columns)


_DESCRIPTION = """
Questions about functions and classes, taken from real code together with the constants, helpers and imports that
they need. No language model was asked. What stands for an answer is in the column `verified_by`: `execution` (the
program ran and gave it), `replay` (a run was recorded twice, and the records are equal), `doctest` (the examples in it
hold), or `none` (the author's words, which nothing checks).

Every function ran three times, in processes of its own: as it is; in reverse order under another hash seed, clock, time
zone, home, working folder, interpreter version and platform, and then with all calls in one process, forwards and
backwards; and once more. Functions that answered differently depend on more than their arguments and were removed.
Calls are those of doctests, of the repository's tests and of its other code where there are any (`call_from`), then
generated ones.

- `execution_prediction`: the answer is the literal that the call returned.
- `execution_rationale`: the same, told step by step from the recorded run; the record is in `trace`.
- `input_prediction`: a result is given, a call is wanted; any that gives the result is right, which `check` tells.
- `counterexample`: a call on which a function and a changed version differ; `check` tells.
- `equivalence`: the same where the two may be equal. `equal` are a function and a rewrite of it that keeps its meaning
  by construction and did the same on `num_compared_calls` calls; a call answers where a version was seen to differ.
- `argument_afterwards`: what a call leaves of an argument that it changes.
- `exception_prediction`: how a call fails: type and message if the program itself raises, else the type.
- `branch_prediction` and `local_value`: which way conditions go, and what a variable holds at a line.
- `complexity`: how the number of executed lines grows, where counting on several families of arguments makes it plain.
- `code_repair`, `repair_as_diff`, `faulty_line`: the function was changed in one place or two (operators, conditions,
  statements left out or out of order, the wrong variable); the check passes on the original and fails on the changed
  one, each in two independent runs, and the question shows how. The answer is the original, a diff that was applied and
  gives it, or the changed line, which no other line reads like. The asserts of `fail_to_pass` and `pass_to_pass` are
  the project's own calls first, where it has any.
- `test_writing`: tests made of observed calls; they pass on the function in two runs, and `num_killed` of its
  `mutants` fail them in both. `refactoring`: the function written another way; both versions did the same, exceptions
  and changed arguments included, on `num_compared_calls` calls in two runs.
- `docstring_to_code` and `code_to_docstring`: the author's own words and the author's own code. The docstring is prose,
  and its examples were run; that its words are true is the author's word alone, and where the code could not be called,
  nothing checks the code either.

Functions in JavaScript, TypeScript, Java, Go and C++ (`program_languages`) run in their own toolchains: candidate calls
in a program that counts the blocks it enters, then the chosen ones in the program as it is shown; each in two
processes, the second in reverse order under another time zone and environment (and clock, in JavaScript), every call
twice in each. C++ is first compiled so that undefined behavior traps. Their kinds are `execution_prediction`,
`input_prediction`, `code_repair` and `docstring_to_code`, the last only with a check that was passed.
"""

_HELD_OUT = f"""
The `validation` split holds out functions, not questions: functions whose code is nearly the same (Jaccard similarity
of token 5-grams at least 0.7), or that appear in one another's programs, are on the same side. `{HELD_OUT_FILE}` lists
the held-out functions with file and module.

What is held out is the questions. The files in which the held-out functions stand are part of the input, and a model
pre-trained on that input has seen their code, though not these calls, their values or these bugs. Train on the `train`
split only, in pre-training mixtures too.
"""
