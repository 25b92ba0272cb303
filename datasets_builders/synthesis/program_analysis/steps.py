"""Section 2.4: the steps of the program-analysis builder, from files to verified questions."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import chain, groupby
from operator import attrgetter, itemgetter
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from datatrove.data import Document

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.identity import content_id
from datasets_builders.building.intermediate import DEFAULT_SPLIT, document_of, values_of
from datasets_builders.building.sandbox_step import SandboxStep
from datasets_builders.building.steps import Merged, Outcome, Removed, Step, name_of
from datasets_builders.synthesis.program_analysis.balance import capped, capped_part
from datasets_builders.synthesis.program_analysis.call_sites import literal_calls
from datasets_builders.synthesis.program_analysis.clusters import assign_splits, cluster_functions
from datasets_builders.synthesis.program_analysis.extraction import (
    ExtractionLimits,
    FunctionSample,
    Refusal,
    extract_functions,
)
from datasets_builders.synthesis.program_analysis.mutation import Mutant
from datasets_builders.synthesis.program_analysis.observation import (
    FailingMutant,
    Observation,
    ObservationSettings,
    ObservedCall,
    SeenError,
    observe,
)
from datasets_builders.synthesis.program_analysis.other_languages.documents import (
    PACKAGED_LANGUAGES,
    AnyObservation,
    extract_from,
    observation_from,
    observe_in,
    package_in,
    sample_from,
    tag_of,
)
from datasets_builders.synthesis.program_analysis.other_languages.javascript_linking import Package
from datasets_builders.synthesis.program_analysis.other_languages.questions import (
    questions_about as other_questions_about,
)
from datasets_builders.synthesis.program_analysis.other_languages.sample import ExtractionLimits as OtherLimits
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample
from datasets_builders.synthesis.program_analysis.questions import Question, QuestionLimits, questions_about
from datasets_builders.synthesis.program_analysis.questions.execution import asked_calls
from datasets_builders.synthesis.program_analysis.questions.inputs import equivalences
from datasets_builders.synthesis.program_analysis.questions.question import is_one_statement, stands_in_call
from datasets_builders.synthesis.program_analysis.questions.variants import variant_questions
from datasets_builders.synthesis.program_analysis.rewriting.variants import variants_of

CALLS_KIND, PACKAGED_KIND = "calls", "packaged_file"
MAX_KNOWN_CALLS = 24
# Kinds whose answers are few by nature: one may have three times the part that it may have elsewhere.
FEW_ANSWERS = frozenset({"exception_prediction", "branch_prediction", "equivalence", "complexity"})

AnySample = FunctionSample | ProgramSample


class ExtractFunctions(Step):
    """Cut the functions and classes of a file out of it, each with its closure, and note the calls it makes.

    Refused functions are removed with a reason. The calls of a Python file are a document of their own, for
    `AttachCalls`. Files in languages whose functions may need other files of their repository are passed on, for
    `ExtractFromPackages`.

    Args:
        limits (`ExtractionLimits`): sizes.
        languages: whose files are read.
    """

    name = "extract_functions"
    arity = "1:n"

    def __init__(self, limits: ExtractionLimits, languages: Sequence[str] = ("Python",)) -> None:
        super().__init__()
        self.limits, self.languages = limits, tuple(languages)

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Give a document per function of a file."""
        language = str(doc.metadata.get("language"))
        if language not in self.languages:
            yield Removed(doc, "other_language", language)
            return
        if language in PACKAGED_LANGUAGES:
            doc.metadata["kind"] = PACKAGED_KIND
            yield doc
            return
        path = str(doc.metadata.get("path", ""))
        yield from _function_documents(doc, self._functions(doc.text, path, language))
        if calls := literal_calls(ast.parse(doc.text)) if language == "Python" else {}:
            metadata = {**_origin_of(doc), "kind": CALLS_KIND, "calls": calls}
            text = "\n".join(chain.from_iterable(calls.values()))
            yield Document(text, content_id(doc.id, CALLS_KIND), metadata=metadata)

    def _functions(self, text: str, path: str, language: str) -> Iterator[AnySample | Refusal]:
        if language == "Python":
            return extract_functions(text, path, self.limits)
        return extract_from(language, text, path, self.limits.max_code_chars, self.limits.max_function_lines)


def _origin_of(doc: Document) -> dict[str, Any]:
    return {
        "parents": [doc.id],
        "source_id": doc.id,
        "path": str(doc.metadata.get("path", "")),
        "repository": str(doc.metadata.get("repository") or ""),
        "license": str(doc.metadata.get("license") or ""),
    }


def _function_documents(doc: Document, functions: Iterable[AnySample | Refusal]) -> Iterator[Outcome]:
    """Yield a document per function of a file."""
    origin = _origin_of(doc)
    for found in functions:
        identifier = content_id(doc.id, found.name)
        if isinstance(found, Refusal):
            yield Removed(Document(found.name, identifier, metadata=origin), found.reason, found.detail)
        else:
            yield Document(found.function, identifier, metadata={**origin, "sample": asdict(found)})


def package_of(doc: Document) -> str:
    """Return the key by which files meet whose functions may need one another."""
    is_packaged = doc.metadata.get("kind") == PACKAGED_KIND
    return f"{doc.metadata.get('repository') or ''}\0{doc.metadata['language']}" if is_packaged else doc.id


class ExtractFromPackages(Step):
    """Cut functions out of files that may import from others of their repository; all other documents pass.

    Give its stage the key `package_of`. One repository is held in memory at a time; the others wait on disk.

    Args:
        limits (`ExtractionLimits`): sizes.
    """

    name = "extract_from_packages"
    arity = "n:1"

    def __init__(self, limits: ExtractionLimits) -> None:
        super().__init__()
        self.limits = limits

    def begin(self, rank: int, world_size: int) -> None:
        """Start without files."""
        self._files = DiskSort(_package_place, self.runs_folder)
        self._package: Package | None = None

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Keep a file until those of its repository are known, then give a document per function of it."""
        if doc.metadata.get("kind") != PACKAGED_KIND:
            yield doc
        elif self._package is None:
            self._files.add(values_of(doc))
        else:
            outcomes = list(_function_documents(doc, self._functions(self._package, doc)))
            outcomes = outcomes or [Removed(doc, "nothing_made")]
            self.counts.created += len(outcomes) - 1
            yield from outcomes

    def finish(self) -> Iterator[Outcome]:
        """Give the functions of all files, repository by repository."""
        for (repository, language), group in groupby(self._files, lambda values: _package_place(values)[:2]):
            docs = [*map(document_of, group)]
            texts: dict[str, str] = {}
            for doc in docs:
                texts.setdefault(doc.metadata["path"], doc.text)
            self._package = package_in(language, repository, texts)
            for doc in docs:
                yield from self._safely(doc)

    def end(self) -> None:
        """Drop what is left of the files."""
        self._files.close()
        self._package = None

    def _functions(self, package: Package, doc: Document) -> Iterator[AnySample | Refusal]:
        path, limits = doc.metadata["path"], (self.limits.max_code_chars, self.limits.max_function_lines)
        if package.texts[path] != doc.text:  # two files of one path: the second stands for itself
            yield from extract_from(doc.metadata["language"], doc.text, path, *limits)
        else:
            yield from package.functions(path, OtherLimits(*limits))


def _package_place(values: list[Any]) -> tuple[str, str, str, str]:
    identifier, _, metadata = values
    return str(metadata.get("repository") or ""), metadata["language"], str(metadata["path"]), identifier


def repository_of(doc: Document) -> str:
    """Return the key by which functions meet the calls of their repository."""
    return str(doc.metadata["repository"])


class AttachCalls(Step):
    """Give every function the calls that its repository makes of it, those of tests first.

    Give its stage the key `repository_of`. Calls belong to functions of their name; those that are another's fail in
    the sandbox. One repository is held in memory at a time; the others wait on disk.
    """

    name = "attach_calls"
    arity = "n:1"

    def begin(self, rank: int, world_size: int) -> None:
        """Start without functions."""
        self._found = DiskSort(itemgetter(0, 1), self.runs_folder)

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Keep functions and calls until all are known."""
        self._found.add([repository_of(doc), doc.id, *values_of(doc)])
        yield from ()

    def finish(self) -> Iterator[Outcome]:
        """Give the functions with their calls; the files' calls go into them."""
        for _, group in groupby(self._found, key=itemgetter(0)):
            docs = [document_of(values[2:]) for values in group]
            files = [doc for doc in docs if doc.metadata.get("kind") == CALLS_KIND]
            functions = [doc for doc in docs if doc.metadata.get("kind") != CALLS_KIND]
            yield from _attached(files, functions)
            yield from functions

    def end(self) -> None:
        """Drop what is left of the functions."""
        self._found.close()


def _attached(files: Iterable[Document], functions: Iterable[Document]) -> Iterator[Outcome]:
    """Write a repository's calls into its functions, and say of each file of calls what became of it."""
    by_name: dict[str, list[Document]] = {}
    for doc in functions:
        if "known_calls" in doc.metadata["sample"]:
            by_name.setdefault(doc.metadata["sample"]["name"], []).append(doc)
    for file in sorted(files, key=lambda file: (not _is_test(file), file.metadata["path"], file.id)):
        used: Document | None = None
        origin = "test" if _is_test(file) else "call_site"
        for name, calls in file.metadata["calls"].items():
            for doc in by_name.get(name, ()):
                known = doc.metadata["sample"]["known_calls"]
                taken = {call for _, call in known}
                room = MAX_KNOWN_CALLS - len(known)
                doc.metadata["sample"]["known_calls"] = [
                    *known,
                    *[(origin, call) for call in calls if call not in taken][: max(room, 0)],
                ]
                used = used or doc
        yield Merged(file, used.id, "calls_used", name_of(used)) if used else Removed(file, "calls_of_no_function_here")


def _is_test(doc: Document) -> bool:
    path = PurePosixPath(doc.metadata["path"])
    return path.name.startswith(("test_", "tests.")) or path.stem.endswith("_test") or "tests" in path.parts


class ObserveFunctions(SandboxStep):
    """Run functions and their mutants in the sandbox; impure functions are removed.

    A function none of whose calls gave an answer is kept: its docstring still makes questions.

    Args:
        settings (`ObservationSettings`): numbers and bounds.
        isolation (`str`): as `Executor` takes it.
    """

    name = "observe_functions"
    batch_size = 384  # of all languages together: the more of one, the fewer starts of its compiler

    def __init__(self, settings: ObservationSettings, isolation: str = "auto") -> None:
        super().__init__(isolation)
        self.settings = settings

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Run the functions of a batch at once, by language, and keep what was seen of each."""
        groups: dict[str, list[int]] = {}
        for index, doc in enumerate(docs):
            groups.setdefault(doc.metadata["sample"].get("language", "Python"), []).append(index)
        answers: list[Iterable[Outcome]] = [[]] * len(docs)
        for language, indices in groups.items():
            group = [docs[index] for index in indices]
            for index, answer in zip(indices, self._observe(language, group), strict=True):
                answers[index] = answer
        return answers

    def _observe(self, language: str, docs: list[Document]) -> list[Iterable[Outcome]]:
        observations: list[AnyObservation]
        if language == "Python":
            observations = [*observe(self.sandbox, [sample_of(doc) for doc in docs], self.settings)]
        else:
            samples = [other_sample_of(doc) for doc in docs]
            observations = [*observe_in(self.sandbox, language, samples, self.settings)]
        answers: list[Iterable[Outcome]] = []
        for doc, observation in zip(docs, observations, strict=True):
            for status, count in sorted(observation.statuses.items()):
                self.stat_update(f"candidate_{status}", value=count)
            if observation.impurity:
                answers.append([Removed(doc, "impure", observation.impurity)])
                continue
            values = asdict(replace(observation, statuses=Counter()))
            doc.metadata["observation"] = {key: values[key] for key in sorted(values.keys() - {"statuses", "impurity"})}
            answers.append([doc])
        return answers


def any_sample_of(doc: Document) -> AnySample:
    """Return the function that a document carries, of whatever language."""
    return sample_of(doc) if doc.metadata["sample"].get("language", "Python") == "Python" else other_sample_of(doc)


def other_sample_of(doc: Document) -> ProgramSample:
    """Return the function of another language than Python that a document carries."""
    return sample_from(doc.metadata["sample"])


def sample_of(doc: Document) -> FunctionSample:
    """Return the Python function that a document of this builder carries."""
    values: dict[str, Any] = {**doc.metadata["sample"]}
    values["helpers"] = tuple(values["helpers"])
    values["known_calls"] = tuple((origin, call) for origin, call in values["known_calls"])
    return FunctionSample(**values)


def observation_of(doc: Document) -> Observation:
    """Return what `ObserveFunctions` learned of a document's function."""
    values = doc.metadata["observation"]
    return Observation(
        calls=[_observed_call(call) for call in values["calls"]],
        check=values["check"],
        mutants=[
            FailingMutant(Mutant(**mutant["mutant"]), tuple(mutant["values"]), tuple(mutant["errors"]))
            for mutant in values["mutants"]
        ],
        changing_calls=[_observed_call(call) for call in values["changing_calls"]],
        failing_calls=[_observed_call(call) for call in values["failing_calls"]],
        is_constant=values["is_constant"],
        doctests=values["doctests"],
        growth=values["growth"],
        growth_over=values["growth_over"],
    )


def _observed_call(values: dict[str, Any]) -> ObservedCall:
    error = SeenError(**values["error"]) if values["error"] else None
    return ObservedCall(**{**values, "error": error, "changes": tuple(map(tuple, values["changes"]))})


class SplitFunctions(Step):
    """Hold whole clusters of alike functions out for validation; copies of a function are removed.

    Has to see all functions: one task.

    Args:
        validation_fraction (`float`): part of the verified calls wanted in validation.
        min_validation_calls (`int`): how many are wanted at least, where that is no more than a fifth.
        max_calls (`int`): how many calls of a function become questions.
        seed (`int`): chooses the clusters.
    """

    name = "split_functions"
    arity = "n:1"

    def __init__(self, validation_fraction: float, min_validation_calls: int, max_calls: int, seed: int) -> None:
        super().__init__()
        self.validation_fraction, self.min_validation_calls = validation_fraction, min_validation_calls
        self.max_calls, self.seed = max_calls, seed

    def begin(self, rank: int, world_size: int) -> None:
        """Start without functions."""
        self._functions = DiskSort(itemgetter(0, 1), self.runs_folder)

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Keep the function until all are known."""
        self._functions.add([content_id(any_sample_of(doc).code), *values_of(doc)])
        yield from ()

    def finish(self) -> Iterator[Outcome]:
        """Give every function its cluster and its split; of copies the one with the smallest id stays.

        The functions are read twice: what decides, their texts, is held; what was seen of their runs is not.
        """
        places: list[tuple[str, str]] = []
        samples: list[AnySample] = []
        weights: list[int] = []
        for key, copies in groupby(self._functions, key=itemgetter(0)):
            doc = document_of(next(copies)[1:])
            places.append((doc.id, key))
            samples.append(any_sample_of(doc))
            weights.append(min(num_asked_calls(doc), self.max_calls))
        order = sorted(range(len(places)), key=places.__getitem__)
        keys = [places[index][1] for index in order]
        clusters = cluster_functions([samples[index] for index in order])
        splits = assign_splits(
            clusters,
            keys,
            [weights[index] for index in order],
            self.validation_fraction,
            self.min_validation_calls,
            self.seed,
        )
        found = {
            key: (split, places[order[cluster]][0]) for key, split, cluster in zip(keys, splits, clusters, strict=True)
        }
        for key, copies in groupby(self._functions, key=itemgetter(0)):
            doc, *others = (document_of(values[1:]) for values in copies)
            doc.metadata["split"], doc.metadata["cluster"] = found[key]
            yield doc
            for other in others:
                yield Removed(other, "same_function", f"as {doc.metadata['path']}")

    def end(self) -> None:
        """Drop what is left of the functions."""
        self._functions.close()


def num_asked_calls(doc: Document) -> int:
    """Return how many calls of an observed function are worth predicting."""
    sample = any_sample_of(doc)
    if isinstance(sample, ProgramSample):
        return len(doc.metadata["observation"]["calls"])
    return len(asked_calls(sample, observation_of(doc)))


class AskQuestions(Step):
    """Turn an observed function into questions of all kinds."""

    name = "ask_questions"
    arity = "1:n"

    def __init__(self, limits: QuestionLimits) -> None:
        super().__init__()
        self.limits = limits

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Give a document per question about a function."""
        num_questions = 0
        for question in self._questions(doc):
            num_questions += 1
            yield Document(question.text, question.mid, metadata=question_row(question, any_sample_of(doc), doc))
        if not num_questions:
            yield Removed(doc, "nothing_to_ask", "no call gave an answer, no docstring good enough")

    def _questions(self, doc: Document) -> Iterator[Question]:
        sample = any_sample_of(doc)
        if isinstance(sample, ProgramSample):
            yield from other_questions_about(sample, observation_from(doc.metadata["observation"]), self.limits)
        else:
            observation = observation_of(doc)
            yield from questions_about(sample, observation, self.limits)
            yield from variant_questions(sample, observation, variants_of(doc), self.limits)
            yield from equivalences(sample, observation, variants_of(doc), self.limits)


def _is_short(question: Question, sample: AnySample) -> bool:
    """Return whether a question is about a run of a Python function of one statement."""
    return isinstance(sample, FunctionSample) and bool(question.call_from) and is_one_statement(sample, question.call)


def question_row(question: Question, sample: AnySample, doc: Document) -> dict[str, Any]:
    """Return the columns of a question's row.

    Source: `mid, messages, tags, languages` are those of the released datasets; the others are ours.
    """
    language = sample.language if isinstance(sample, ProgramSample) else "Python"
    is_unchecked = question.kind == "docstring_to_code" and not question.check and question.verified_by == "execution"
    return {
        "mid": question.mid,
        "messages": [
            {"role": "user", "content": question.prompt},
            {"role": "assistant", "content": question.content},
        ],
        "tags": [question.kind, tag_of(language)],
        "languages": [language],
        "kind": question.kind,
        "function": sample.name,
        "module": sample.module,
        "path": sample.path,
        "repository": doc.metadata["repository"],
        "license": doc.metadata["license"],
        "cluster": doc.metadata["cluster"],
        # The function and the file it was cut from.
        "parents": [doc.id, doc.metadata["source_id"]],
        "code": question.code,
        "call": question.call,
        "answer": question.answer,
        "context": question.context,
        "check": question.check,
        "wrong_answers": question.wrong_answers,
        "mutation": question.mutation,
        "fail_to_pass": question.fail_to_pass,
        "pass_to_pass": question.pass_to_pass,
        # A function to be written without a check to pass is the author's word alone.
        "verified_by": "none" if is_unchecked else question.verified_by,
        "call_from": question.call_from,
        "trace": question.trace,
        # Not a column: for LimitAnswers.
        "is_one_statement": _is_short(question, sample),
        "mutants": question.mutants,
        "num_killed": question.num_killed,
        "rewrite": question.rewrite,
        "num_compared_calls": question.num_compared_calls,
        "split": doc.metadata["split"],
    }


class LimitAnswers(Step):
    """Remove questions asked twice, answers so common that guessing them would pay, and questions that are no work.

    Has to see all questions: one task. The bounds hold in each split and kind.

    Args:
        max_answer_fraction (`float`): largest part that one answer may have.
        max_trivial_fraction (`float`): largest part that questions on functions of one statement may have, and those
            whose answers stand in the call.
    """

    name = "limit_answers"
    arity = "n:1"

    def __init__(self, max_answer_fraction: float, max_trivial_fraction: float = 1.0) -> None:
        super().__init__()
        self.max_answer_fraction, self.max_trivial_fraction = max_answer_fraction, max_trivial_fraction

    def begin(self, rank: int, world_size: int) -> None:
        """Start without questions."""
        # The training side gives way: of a question in both splits the one held out comes first.
        self._questions = DiskSort(itemgetter(0, 1, 2), self.runs_folder)

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Keep the question until all are known."""
        self._questions.add([doc.id, doc.metadata["split"] == DEFAULT_SPLIT, _order(doc), *values_of(doc)])
        yield from ()

    def finish(self) -> Iterator[Outcome]:
        """Give the questions that stay; remove those asked twice, or whose answer is too common.

        The questions are read twice; held are their ids and what decides.
        """
        groups: dict[tuple[str, str], list[_Place]] = {}
        for _, copies in groupby(self._questions, key=itemgetter(0)):
            doc = document_of(next(copies)[3:])
            place = _Place(doc.id, _is_one_statement(doc), _is_copied(doc), content_id(_answer_of(doc)))
            groups.setdefault((doc.metadata["kind"], doc.metadata["split"]), []).append(place)
        reasons = {
            place.id: reason for (kind, _), places in groups.items() for place, reason in self._left_out(kind, places)
        }
        groups.clear()
        for _, copies in groupby(self._questions, key=itemgetter(0)):
            doc, *others = (document_of(values[3:]) for values in copies)
            reason = reasons.get(doc.id)
            detail = _answer_of(doc) if reason == "common_answer" else doc.metadata["call"]
            yield Removed(doc, reason, detail[:80]) if reason else doc
            for other in others:
                yield Removed(other, "same_question", f"as of {doc.metadata['module']}.{doc.metadata['function']}")

    def end(self) -> None:
        """Drop what is left of the questions."""
        self._questions.close()

    def _left_out(self, kind: str, places: list[_Place]) -> Iterator[tuple[_Place, str]]:
        """Give the questions of a kind and split that go, each with the reason."""
        left = places
        for reason in ("is_one_statement", "is_copied"):
            left, removed = capped_part(left, attrgetter(reason), self.max_trivial_fraction)
            for place in removed:
                yield place, reason
        fraction = min(3 * self.max_answer_fraction, 1.0) if kind in FEW_ANSWERS else self.max_answer_fraction
        keep = capped([place.answer for place in left], fraction)
        for place, stays in zip(left, keep, strict=True):
            if not stays:
                yield place, "common_answer"


class _Place(NamedTuple):
    """What decides whether a question stays."""

    id: str
    is_one_statement: bool
    is_copied: bool
    answer: str


def _is_one_statement(doc: Document) -> bool:
    return bool(doc.metadata.get("is_one_statement"))


def _is_copied(doc: Document) -> bool:
    row = doc.metadata
    is_value = row["kind"] in ("execution_prediction", "execution_rationale")
    return is_value and stands_in_call(row.get("answer", ""), row.get("call", ""))


def _answer_of(doc: Document) -> str:
    return doc.metadata["messages"][-1]["content"]


def _order(doc: Document) -> str:
    return json.dumps([doc.metadata["path"], doc.metadata["function"]])
