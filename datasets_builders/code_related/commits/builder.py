"""Section 2.3: commits as edits, from git repositories to curated rows."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from datasets_builders.building.builder import Builder
from datasets_builders.building.description import CardParts
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.stages import Stage
from datasets_builders.building.tagging import TaggingFields
from datasets_builders.code_related.commits.rendering import EDITS
from datasets_builders.code_related.commits.steps import CommitLimits, CommitReader, FillCommits, repositories_of
from datasets_builders.curation.config import (
    DecontaminationFields,
    LicenseFields,
    NearDedupFields,
    QualityFields,
    TextRuleFields,
    ToxicityFields,
)
from datasets_builders.curation.license_filter import license_of_card
from datasets_builders.curation.pipeline import Curation
from datasets_builders.sources.git_trees import GitSource

if TYPE_CHECKING:
    from datasets import Features

COLUMNS = {
    "id": "first 32 hex digits of the SHA-256 of the text",
    "text": "prompt and completion",
    "prompt": "message, README, paths and files before the commit; placeholders as in source code",
    "completion": "the changed paths, each with its edit",
    "path": "the first of the changed paths",
    "changed_paths": "of files whose edits are shown",
    "languages": "of those files, by their names",
    "num_changed_lines": "lines that are added or removed",
    "num_left_out": "changed files that are binary, too large or differ in white space alone",
    "repository": "name of the code base",
    "commit": "the commit",
    "date": "when it was made",
    "license": "licence of the repository (SPDX name)",
    "license_type": "permissive, non_permissive or no_license",
    "repository_url": "where the repository was cloned from",
    "num_bytes": "size of the text in UTF-8",
    "quality": "probability of high quality by the quality model; null without one",
    "num_placeholders": "different values that were replaced",
    "cluster_size": "near-duplicates that this commit stands for, itself included",
}
PRESETS = {"all": (0, 0), "seed_coder": (100, 100)}


@dataclass
class CommitsConfig(
    NearDedupFields, DecontaminationFields, QualityFields, ToxicityFields, TextRuleFields, LicenseFields, TaggingFields
):
    """Fields of `commits`."""

    repositories: list[str] = field(
        default_factory=list, metadata={"help": "folders of git repositories, bare or not; * is understood"}
    )
    revision: str = field(default="HEAD", metadata={"help": "branch, tag or commit from which history is followed"})
    preset: str = field(
        default="all",
        metadata={
            "help": "all, or seed_coder: repositories of 100 commits and 100 days (stars and forks git does not know)"
        },
    )
    max_commits: int = field(default=0, metadata={"help": "newest commits that are taken of a repository; 0: all"})
    max_changed_files: int = field(default=5, metadata={"help": "most files that a commit may change"})
    max_changed_lines: int = field(default=300, metadata={"help": "most lines that a commit may add and remove"})
    num_files: int = field(
        default=5, metadata={"help": "files that fit the message best, shown beside the changed ones"}
    )
    max_file_bytes: int = field(default=30_000, metadata={"help": "larger files are neither shown nor compared"})

    limited_columns: ClassVar[tuple[str, ...]] = ("num_bytes", "num_changed_lines")

    def validate(self) -> None:
        """Check names and ranges."""
        super().validate()
        if self.preset not in PRESETS:
            raise ConfigError(f"preset is {self.preset!r}, but must be one of {', '.join(PRESETS)}")
        for name in ("max_changed_files", "max_changed_lines", "max_file_bytes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")
        for name in ("max_commits", "num_files"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 0")

    def commit_limits(self) -> CommitLimits:
        """Return which commits are taken."""
        min_commits, min_days = PRESETS[self.preset]
        return CommitLimits(
            min_commits,
            min_days,
            self.max_commits,
            self.max_changed_files,
            self.max_changed_lines,
            self.num_files,
            self.max_file_bytes,
        )


class CommitsBuilder(Builder[CommitsConfig]):
    """Commits of git repositories as tasks. Source: paper 2.3; the form is Seed-Coder's, in words of ours."""

    name = "commits"
    summary = "commits as tasks: from message and repository to edits"
    config_class = CommitsConfig
    counted_column = "repository"

    def __init__(self, config: CommitsConfig) -> None:
        super().__init__(config)
        self.curation = Curation(config, self.output_folder, f"\n{EDITS}\n")

    @cached_property
    def sources(self) -> list[GitSource]:
        """The repositories, each at the commit that its revision names now."""
        return repositories_of(self.config.repositories, self.config.revision, self.config.license)

    def stages(self) -> list[Stage]:
        """Read and filter commits; keep one of equal tasks, then the best of near-duplicates."""
        config, curation = self.config, self.curation
        return [
            Stage(
                "filter",
                [
                    CommitReader(self.sources, config.commit_limits()),
                    *curation.license(),
                    *curation.text_rules(),
                    *curation.sanitization(),
                    FillCommits(),
                    *curation.toxicity(),
                    *curation.metric_limits(),
                    *curation.quality(),
                    *curation.decontamination(),
                ],
                tasks=config.num_tasks,
                before=curation.index_benchmarks,
            ),
            *curation.dedup_stages(then=[*curation.scores(), *curation.score_limits()]),
        ]

    def check(self) -> None:
        """Raise `ConfigError` when there is nothing to read, or nothing to score with."""
        self.curation.inputs.check()
        if self.config.tagged:
            return
        if not self.config.repositories:
            raise ConfigError(
                "repositories is not set; name folders of git repositories, such as repositories=[mirrors/*]"
            )
        if not self.sources:
            raise ConfigError(f"repositories: no folder matches {', '.join(self.config.repositories)}")

    def inputs(self) -> list[str]:
        """Return a line per repository, and what is kept out."""
        return [*(source.describe() for source in self.sources), *self.curation.inputs.describe()]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the commits, and what identifies lists, models and benchmarks."""
        return {"sources": [source.fingerprint() for source in self.sources]} | self.curation.inputs.fingerprint()

    @property
    def features(self) -> "Features":
        """Columns of the dataset."""
        from datasets import Features, List, Value

        numbers = ("num_changed_lines", "num_left_out", "num_bytes", "num_placeholders", "cluster_size")
        types = dict.fromkeys(numbers, "int64") | {"quality": "float64"}
        columns: dict[str, Any] = {name: Value(types.get(name, "string")) for name in COLUMNS}
        columns |= dict.fromkeys(("changed_paths", "languages"), List(Value("string")))
        return Features(columns | dict.fromkeys(self.config.score_columns, Value("float64")))

    def card(self) -> CardParts:
        """Return the card's text."""
        license, licenses = license_of_card(self.output_folder)
        return CardParts(
            title=f"Commits of {len(self.sources)} repositories",
            description=(
                "Commits as tasks, one per row: from the message, the README, the paths and the files that the message "
                "seems to be about to the changed paths and their edits. Decontaminated against: "
                f"{self.curation.inputs.decontaminated_against}."
            ),
            license=license,
            tags=["code"],
            columns=COLUMNS | self.curation.inputs.score_descriptions(),
            sections={"Licences": licenses},
        )
