"""Section 3.2.4 (direct preference optimization): the DPO dataset, pairs told apart by execution."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from datasets_builders.building import BuilderConfig, CardParts, ConfigError, Stage
from datasets_builders.building.dataset_folder import ReadRows
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.released.preferences import MakePairs, VerifyPairs
from datasets_builders.synthesis.program_analysis.observation import DRIVER

if TYPE_CHECKING:
    from datasets import Features

COLUMNS = {
    "mid": "content hash of the pair, 32 hex digits",
    "prompt": "the question",
    "chosen": "an answer that running showed to be right",
    "rejected": "an answer that running showed to be wrong",
    "kind": "execution_prediction, code_repair or docstring_to_code",
    "function": "name of the function asked about",
    "module": "its module",
    "cluster": "functions that are near-duplicates or parts of one another's programs share this id",
    "license": "licence of the file that the function stands in",
    "parents": "mid of the question",
}


@dataclass
class DPOConfig(BuilderConfig):
    """Fields of `dpo`."""

    input: str = field(default="", metadata={"help": "folder of a synthetic_qa dataset"})
    isolation: str = field(default="auto", metadata={"help": "sandbox: auto, bubblewrap, namespaces or rlimits"})
    max_pairs_per_question: int = field(
        default=1, metadata={"help": "most wrong answers of a question that become pairs"}
    )
    max_chars: int = field(default=6000, metadata={"help": "longest prompt with one answer, in characters"})

    def validate(self) -> None:
        """Check ranges."""
        super().validate()
        for name in ("max_pairs_per_question", "max_chars"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")


class DPOBuilder(DerivedBuilder[DPOConfig]):
    """Preference pairs of a right and a wrong answer, both verified by running them.

    Source: paper 3.2.4 and the released schema; execution in place of a reward model is ours.
    """

    name: ClassVar[str] = "dpo"
    summary: ClassVar[str] = "preference pairs, chosen verified right and rejected verified wrong"
    config_class: ClassVar[type[BuilderConfig]] = DPOConfig
    input_builder: ClassVar[str] = "synthetic_qa"
    id_column: ClassVar[str] = "mid"
    text_column: ClassVar[str | None] = None
    counted_column: ClassVar[str | None] = "kind"

    @property
    def features(self) -> Features:
        """Columns of the dataset."""
        from datasets import Features, List, Value

        text = Value("string")
        return Features({name: List(text) if name == "parents" else text for name in COLUMNS})

    def stages(self) -> list[Stage]:
        """Make pairs of the questions, then run both sides of each once more."""
        config = self.config
        return [
            Stage(
                "pairs",
                [
                    ReadRows(self.input_paths, id_column="mid", text_column=None),
                    MakePairs(config.max_pairs_per_question, config.max_chars),
                    VerifyPairs(config.isolation),
                ],
                tasks=config.num_tasks,
            )
        ]

    @property
    def input_paths(self) -> list[str]:
        """The dataset of questions."""
        return [self.config.input]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of the inputs, and the program that runs in the sandbox."""
        return super().input_fingerprint() | {"sandbox_program": DRIVER}

    def card(self) -> CardParts:
        """Return the card's text."""
        return CardParts(
            title="DPO: preference pairs verified by execution",
            description=_DESCRIPTION,
            license=self.license,
            columns=COLUMNS,
            tags=["code", "dpo"],
        )


_DESCRIPTION = """
Preference pairs in the schema of Ling-Coder-DPO. The chosen answer was seen to be right and the rejected one to be
wrong, by running both in a sandbox when the questions were made and once more when the pairs were.

- `execution_prediction`: chosen is the value that the call returned; rejected is what a faulty version of the function
  returned for the same call, or another value that this function returns for other arguments.
- `code_repair` and `docstring_to_code`: chosen is the author's function, which passes the check; rejected is a faulty
  version, which fails it.

The splits are those of the input: functions and their near-duplicates are never on both sides.
"""
