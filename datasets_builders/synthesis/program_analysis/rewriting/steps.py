"""Section 2.4: the step that writes tests and rewrites of observed functions and runs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from datatrove.data import Document

from datasets_builders.building.sandbox_step import SandboxStep
from datasets_builders.building.steps import Outcome
from datasets_builders.synthesis.program_analysis.rewriting.verification import verify_variants
from datasets_builders.synthesis.program_analysis.steps.documents import observation_of, sample_of


class WriteVariants(SandboxStep):
    """Write tests and rewrites of Python functions, and keep with the function what running them bears out.

    Args:
        seed (`int`): chooses further calls and faulty rewrites.
        isolation (`str`): as `Executor` takes it.
    """

    name = "write_variants"
    batch_size = 384

    def __init__(self, seed: int, isolation: str = "auto") -> None:
        super().__init__(isolation)
        self.seed = seed

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Run what was written about the functions of a batch at once."""
        python = [doc for doc in docs if doc.metadata["sample"].get("language", "Python") == "Python"]
        samples, observations = [sample_of(doc) for doc in python], [observation_of(doc) for doc in python]
        found = verify_variants(self.sandbox, samples, observations, self.seed)
        for doc, variants in zip(python, found, strict=True):
            doc.metadata["variants"] = asdict(variants)
            self.stat_update("tests", value=variants.tests is not None)
            self.stat_update("rewrites", value=len(variants.rewrites))
        return [[doc] for doc in docs]
