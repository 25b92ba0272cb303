"""The same in each language: cutting out, observing, asking; and that a program of its own finds the rows true."""

import re
from dataclasses import asdict

import pytest
from datatrove.data import Document

from datasets_builders.released.preferences import VERIFIABLE_KINDS, MakePairs, VerifyPairs
from datasets_builders.synthesis.program_analysis.extraction import Refusal
from datasets_builders.synthesis.program_analysis.other_languages.documents import observation_from, sample_from
from datasets_builders.synthesis.program_analysis.other_languages.languages import PROGRAM_LANGUAGES
from datasets_builders.synthesis.program_analysis.other_languages.questions import questions_about
from evals.execution import Executor, MissingToolchainError, toolchain
from tests.datasets_builders.synthesis.other_languages.row_verification import false_claims
from tests.datasets_builders.synthesis.other_languages.sources import SOURCES

pytestmark = pytest.mark.slow
LANGUAGES = sorted(PROGRAM_LANGUAGES)
STATEFUL = {"C++": "product"}  # whose overflow is undefined; the others count their calls


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    try:
        toolchain(PROGRAM_LANGUAGES[request.param].runner.sandbox_language)
    except MissingToolchainError as error:
        pytest.skip(str(error))
    return request.param


def test_functions_are_asked_about_and_all_that_is_said_of_them_is_true(
    language: str, observed, executor: Executor
) -> None:
    seen = observed(language, SOURCES[language])
    rows = []
    for sample, observation in seen.values():
        # As the pipeline's documents carry them from stage to stage.
        sample = sample_from(asdict(sample))
        observation = observation_from(asdict(observation)) if not observation.impurity else observation
        for question in questions_about(sample, observation):
            rows.append(
                {
                    "kind": question.kind,
                    "function": sample.name,
                    "languages": [language],
                    "messages": [{"content": question.prompt}, {"content": question.content}],
                    "code": question.code,
                    "call": question.call,
                    "answer": question.answer,
                    "context": question.context,
                    "check": question.check,
                    "wrong_answers": question.wrong_answers,
                    "pass_to_pass": question.pass_to_pass,
                }
            )
    kinds = {row["kind"] for row in rows}
    assert kinds >= {"execution_prediction", "input_prediction", "code_repair"}
    assert {row["function"] for row in rows} >= {"initials"}
    assert len({row["function"] for row in rows}) >= 2
    assert not [row for row in rows if row["function"] == "stateful"]
    assert_pairs(language, rows)
    # One of each kind, since every claim is a program that is compiled; the pairs above hold all rows.
    sample_of_rows = [next(row for row in rows if row["kind"] == kind) for kind in sorted(kinds)]
    assert false_claims(executor, sample_of_rows) == []


def assert_pairs(language: str, rows: list[dict]) -> None:
    """Hold that questions make preference pairs, whose sides are told apart by running them once more."""
    columns = {"module": "m", "cluster": "c", "license": "mit", "split": "train", "verified_by": "execution"}
    docs = [Document(row["code"], str(number), metadata={**columns, **row}) for number, row in enumerate(rows)]
    made = [doc for doc in MakePairs(1, 6000, 0.9).run(docs) if doc.metadata["kind"] in VERIFIABLE_KINDS]
    # Each pair turned around too: not one of those may be kept.
    turned = [
        Document(
            doc.text,
            f"turned {doc.id}",
            metadata={**doc.metadata, "chosen": doc.metadata["rejected"], "rejected": doc.metadata["chosen"]},
        )
        for doc in made
    ]
    verify = VerifyPairs()
    kept = list(verify.run([*made, *turned]))
    assert len(kept) >= 3 and {doc.metadata["language"] for doc in kept} == {language}
    assert len(kept) >= 0.8 * len(made), verify.counts.reasons
    assert not [doc.id for doc in kept if doc.id.startswith("turned")]


def test_what_depends_on_more_than_its_arguments_goes(language: str, observed) -> None:
    name = STATEFUL.get(language, "stateful")
    _, observation = observed(language, SOURCES[language])[name]
    if language == "C++":
        assert observation.statuses["raised"] > 0, "overflow is trapped"
        for call in observation.calls:
            first, second = map(int, re.findall(r"-?\d+", call.call))
            assert int(call.answer) == first * 1_000_000 * second
    else:
        assert observation.impurity and not observation.calls


def test_what_needs_more_than_the_standard_library_is_refused(functions_of) -> None:
    assert functions_of("Go", SOURCES["Go"])["now"] == Refusal("now", "import_not_pure", "time")
    assert "prints" not in functions_of("Java", SOURCES["Java"]), "nothing comes back"
