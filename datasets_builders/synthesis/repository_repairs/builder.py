"""Section 2.4: the builder of repairs over several files: an interface was changed, and not all callers followed.

Read top to bottom: functions are cut out of repositories with all that they need, as the files they stand in; changes
of an interface are made; they are run before, between and after; what holds a benchmark's texts goes (section 2.1).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from datasets_builders.building import BuilderConfig, CardParts, ConfigError, Stage
from datasets_builders.building.dataset_folder import ReadRows
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.curation.config import DecontaminationFields
from datasets_builders.curation.deduplication.exact import ExactDedup
from datasets_builders.curation.pipeline import Curation
from datasets_builders.synthesis.repository_repairs.steps import (
    KIND,
    PROMPT_FILE,
    FindChanges,
    RunChanges,
    repository_of,
)

if TYPE_CHECKING:
    from datasets import Features

COLUMNS = {
    "mid": "content hash of the question, 32 hex digits",
    "messages": "one user turn (files in the order of their imports, how they fail) and one assistant turn (a diff)",
    "tags": "the kind of question and python",
    "languages": "Python",
    "kind": KIND,
    "mutation": "the change: swapped_parameters, swapped_return, keyword_only, renamed_function or renamed_attribute",
    "changed_name": "name of the function or attribute",
    "changed_path": "file in which it was changed",
    "repaired_paths": "files that the answer changes",
    "paths": "all files, those that others import first",
    "contents": "their texts, with the fault",
    "fail_to_pass": "programs that fail with the fault and pass with the repair, run in the folder of the files",
    "pass_to_pass": "programs that pass with both",
    "told_by": "test (one of the project's own) or calls (observed before the change)",
    "verified_by": "execution",
    "repository": "repository of the files",
    "license": "licence of the file that the function stands in, as the input states it",
    "cluster": "repository and changed file; a cluster is in one split alone",
    "parents": "id of the function, id of its file's row in the input",
}


@dataclass
class RepositoryRepairsConfig(DecontaminationFields):
    """Fields of `repository_repairs`."""

    input: str = field(default="", metadata={"help": "folder of a source_code dataset, whose rows name repositories"})
    more_inputs: list[str] = field(
        default_factory=list, metadata={"help": "further source_code datasets, read as if they were one with input"}
    )
    max_files: int = field(default=6, metadata={"help": "most files that a function may need"})
    max_code_chars: int = field(default=10_000, metadata={"help": "most characters of those files together"})
    max_changes: int = field(default=6, metadata={"help": "number of changes tried on each function"})
    max_faults_per_function: int = field(default=2, metadata={"help": "most repairs asked of a function"})
    max_answer_chars: int = field(default=200, metadata={"help": "longest value that a check states, in characters"})
    validation_fraction: float = field(
        default=0.1, metadata={"help": "part of the changed files that is held out with its repairs"}
    )
    isolation: str = field(default="auto", metadata={"help": "sandbox: auto, bubblewrap, namespaces or rlimits"})

    def validate(self) -> None:
        """Check ranges."""
        super().validate()
        for name in ("max_code_chars", "max_changes", "max_faults_per_function", "max_answer_chars"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if self.max_files < 2:
            raise ConfigError(f"max_files is {self.max_files}, but must be at least 2")
        if not 0 <= self.validation_fraction <= 0.5:
            raise ConfigError(f"validation_fraction is {self.validation_fraction}, but must be from 0 to 0.5")


class RepositoryRepairsBuilder(DerivedBuilder[RepositoryRepairsConfig]):
    """Repairs over several files, told by the project's tests or by observed calls.

    Source: paper 2.4 names repair among the scenarios; computing faults and repairs is ours.
    """

    name: ClassVar[str] = "repository_repairs"
    summary: ClassVar[str] = "faults that span files of a repository, with the diffs that repair them"
    config_class: ClassVar[type[BuilderConfig]] = RepositoryRepairsConfig
    input_builder: ClassVar[str] = "source_code"
    id_column: ClassVar[str] = "mid"
    text_column: ClassVar[str | None] = None
    counted_column: ClassVar[str | None] = "mutation"

    def __init__(self, config: RepositoryRepairsConfig) -> None:
        super().__init__(config)
        self.curation = Curation(config, self.output_folder)

    @property
    def features(self) -> Features:
        """Columns of the dataset."""
        from datasets import Features, List, Value

        text = Value("string")
        lists = ("tags", "languages", "repaired_paths", "paths", "contents", "fail_to_pass", "pass_to_pass", "parents")
        columns: dict[str, Any] = {name: List(text) if name in lists else text for name in COLUMNS}
        columns["messages"] = List({"role": text, "content": text})
        return Features(columns)

    def stages(self) -> list[Stage]:
        """Let the files of a repository meet, change interfaces, run, and drop what a benchmark asks."""
        config = self.config
        find = FindChanges(config.max_files, config.max_code_chars, config.max_changes)
        run = RunChanges(
            config.seed,
            config.max_faults_per_function,
            config.max_answer_chars,
            config.validation_fraction,
            config.isolation,
        )
        return [
            Stage("read", [ReadRows(self.input_paths)], tasks=config.num_tasks),
            Stage("find", [find], tasks=config.num_tasks, key=repository_of),
            Stage("run", [run], tasks=config.num_tasks),
            Stage(
                "merge",
                [ExactDedup(), *self.curation.decontamination()],
                tasks=config.num_tasks,
                before=self.curation.index_benchmarks,
            ),
        ]

    @property
    def input_paths(self) -> list[str]:
        """The datasets of code, in order."""
        return [self.config.input, *self.config.more_inputs]

    def check(self) -> None:
        """Raise `ConfigError` when an input is not named, or a benchmark cannot be read."""
        super().check()
        self.curation.inputs.check()

    def inputs(self) -> list[str]:
        """Return a line per dataset, and what is kept out."""
        return [*super().inputs(), *self.curation.inputs.describe()]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of the inputs, of the wordings and of the benchmarks' texts."""
        prompts = hashlib.sha256(PROMPT_FILE.read_bytes()).hexdigest()
        return super().input_fingerprint() | self.curation.inputs.fingerprint() | {"prompts": prompts}

    def card(self) -> CardParts:
        """Return the card's text."""
        return CardParts(
            title="Repairs over several files",
            description=f"{_DESCRIPTION}\nDecontaminated against: {self.curation.inputs.decontaminated_against}.",
            license=self.license,
            columns=COLUMNS,
            tags=["code", "program-repair", "synthetic"],
        )


_DESCRIPTION = """
Functions and tests of real repositories with all that they need of a few files, each of which stays a file with what is
needed of it. In one file an interface was changed, and all of that file with it: two parameters change places, the last
one is taken by name alone, two returned values change places, a function or an attribute has another name. The other
files were left as they were. No language model was asked.

- The function, or the project's own test, ran before the change (twice, under two hash seeds), with the change followed
  everywhere, and with the change in its own file alone. The first three did the same on every call, the last did not.
- `fail_to_pass` and `pass_to_pass` are programs: with the files in a folder, each is run there.
- The answer is a diff that `git apply` takes. It is one repair; any that passes all of these programs is right.
"""
