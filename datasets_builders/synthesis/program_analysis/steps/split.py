"""Section 2.4: the step that holds clusters of alike functions out for validation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from datatrove.data import Document

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.identity import content_id
from datasets_builders.building.intermediate import document_of, values_of
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.synthesis.program_analysis.clusters import assign_splits, cluster_functions
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample
from datasets_builders.synthesis.program_analysis.questions.execution import asked_calls
from datasets_builders.synthesis.program_analysis.steps.documents import AnySample, any_sample_of, observation_of


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
