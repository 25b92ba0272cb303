"""Section 2.4: tasks for reinforcement learning: a prompt, and a verifier that runs the answer.

Read top to bottom: questions of built datasets are read, what judges them is put together, and each verifier is tried
on the answer known to be right and on wrong ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from datasets_builders.building import BuilderConfig, BuildResult, CardParts, ConfigError, Stage
from datasets_builders.building.dataset_folder import DatasetFolder, ReadRows
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.synthesis.verification.steps import CheckTasks, MakeTasks
from datasets_builders.synthesis.verification.verifiers import VerifierLimits

if TYPE_CHECKING:
    from datasets import Features

COLUMNS = {
    "mid": "mid of the question",
    "prompt": "messages up to where the answer goes",
    "verifier": "JSON object: what judges an answer, and within which limits; the builder's README has the fields",
    "verifier_kind": "code, diff, tests, expression, literal, text or sql",
    "reference": "an answer that passes",
    "tags": "the kind of question and the programming language",
    "languages": "programming languages",
    "kind": "the kind of question",
    "cluster": "alike questions share this id; a cluster is in one split alone",
    "license": "licence of the code asked about",
}


@dataclass
class TasksConfig(BuilderConfig):
    """Fields of `rl_tasks`."""

    inputs: list[str] = field(
        default_factory=list, metadata={"help": "folders of synthetic_qa and sql_qa datasets, read as one"}
    )
    wall_seconds: float = field(default=10.0, metadata={"help": "longest run of an answer with its tests, in seconds"})
    memory_mib: int = field(default=512, metadata={"help": "memory that an answer may use, in MiB"})
    tried_fraction: float = field(
        default=1.0, metadata={"help": "part of the tasks whose verifier is tried on a right and on wrong answers"}
    )
    json_lines: bool = field(default=False, metadata={"help": "write the tasks as tasks_SPLIT.jsonl too"})
    isolation: str = field(default="auto", metadata={"help": "sandbox: auto, bubblewrap, namespaces or rlimits"})

    def validate(self) -> None:
        """Check ranges."""
        super().validate()
        for name in ("wall_seconds", "memory_mib"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be above 0")
        if not 0 <= self.tried_fraction <= 1:
            raise ConfigError(f"tried_fraction is {self.tried_fraction}, but must be from 0 to 1")


class TasksBuilder(DerivedBuilder[TasksConfig]):
    """Prompts with verifiers, for learning from rewards that running gives."""

    name: ClassVar[str] = "rl_tasks"
    summary: ClassVar[str] = "prompts with verifiers that run the answer, for reinforcement learning"
    config_class: ClassVar[type[BuilderConfig]] = TasksConfig
    input_builder: ClassVar[str] = "synthetic_qa or sql_qa"
    id_column: ClassVar[str] = "mid"
    text_column: ClassVar[str | None] = None
    counted_column: ClassVar[str | None] = "verifier_kind"

    @property
    def features(self) -> Features:
        """Columns of the dataset."""
        from datasets import Features, List, Value

        text = Value("string")
        columns: dict[str, Any] = dict.fromkeys(COLUMNS, text)
        columns |= {"tags": List(text), "languages": List(text), "prompt": List({"role": text, "content": text})}
        return Features(columns)

    def stages(self) -> list[Stage]:
        """Put verifiers together, then try each on answers whose worth is known."""
        config = self.config
        limits = VerifierLimits(wall_seconds=config.wall_seconds, memory_bytes=config.memory_mib << 20)
        return [
            Stage(
                "tasks",
                [
                    ReadRows(self.input_paths, id_column="mid", text_column=None),
                    MakeTasks(limits),
                    CheckTasks(config.tried_fraction, config.isolation),
                ],
                tasks=config.num_tasks,
            )
        ]

    @property
    def input_paths(self) -> list[str]:
        """The datasets of questions."""
        return list(self.config.inputs)

    def run(self) -> BuildResult:
        """Build the dataset, and write the tasks as JSON Lines on request."""
        result = super().run()
        if self.config.json_lines:
            for shard in DatasetFolder(self.output_folder).shards:
                path = self.output_folder / f"tasks_{shard.split}.jsonl"
                with path.open("w", encoding="utf-8") as file:
                    for row in DatasetFolder(self.output_folder).rows(list(COLUMNS), shard.split):
                        verifier = json.loads(row["verifier"])
                        file.write(json.dumps({**row, "verifier": verifier}, ensure_ascii=False) + "\n")
        return result

    @property
    def _tried(self) -> str:
        fraction = self.config.tried_fraction
        return "Every verifier was" if fraction == 1 else f"Of the verifiers {fraction:.0%} were"

    def card(self) -> CardParts:
        """Return the card's text."""
        return CardParts(
            title="Tasks with verifiers",
            description=_DESCRIPTION.format(verifiers=self._tried),
            license=self.license,
            columns=COLUMNS,
            tags=["code", "reinforcement-learning", "synthetic"],
        )


_DESCRIPTION = """
Prompts with what judges an answer, for learning from rewards. {verifiers} tried: the reference passes, an empty answer
does not, nor does a wrong answer where one is known.

Answers are hostile: run them in a sandbox. `datasets_builders.synthesis.verification.judge` runs them in that of
`evals.execution`, where leaving early or printing "passed" does not pass.
"""
