"""Section 2.4: faults put into working code, for repair, for tests that have to find them, for wrong answers."""

from datasets_builders.synthesis.program_analysis.mutation.mutate import Mutant, mutate

__all__ = ["Mutant", "mutate"]
