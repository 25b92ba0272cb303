"""Section 2.4: answers judged by running them: to filter what teachers write, and as rewards of tasks."""

from datasets_builders.synthesis.verification.judging import Judgement, judge
from datasets_builders.synthesis.verification.verifiers import Verifier, verifier_of_row

__all__ = ["Judgement", "Verifier", "judge", "verifier_of_row"]
