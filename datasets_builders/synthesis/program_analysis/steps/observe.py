"""Section 2.4: the step that runs functions and their mutants in the sandbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, replace

from datatrove.data import Document

from datasets_builders.building.sandbox_step import SandboxStep
from datasets_builders.building.steps import Outcome, Removed
from datasets_builders.synthesis.program_analysis.jobs import ObservationSettings
from datasets_builders.synthesis.program_analysis.observation import observe
from datasets_builders.synthesis.program_analysis.other_languages.documents import (
    AnyObservation,
    observe_in,
)
from datasets_builders.synthesis.program_analysis.steps.documents import other_sample_of, sample_of


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
