"""Section 2.3.3: pull requests and issues from GH Archive's hourly files to curated rows."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from datasets_builders.building.builder import Builder
from datasets_builders.building.dataset_folder import UNKNOWN_LICENSE
from datasets_builders.building.description import CardParts
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.stages import Stage
from datasets_builders.building.tagging import TaggingFields
from datasets_builders.code_related.commits.rendering import EDITS
from datasets_builders.code_related.github_threads.steps import EventReader, JoinThreads, key_of
from datasets_builders.code_related.web_pages.archives import archive_paths
from datasets_builders.curation.config import (
    DecontaminationFields,
    NearDedupFields,
    QualityFields,
    TextRuleFields,
    ToxicityFields,
)
from datasets_builders.curation.pipeline import Curation

if TYPE_CHECKING:
    from datasets import Features

COLUMNS = {
    "id": "first 32 hex digits of the SHA-256 of the text",
    "text": "the thread; users are numbered, e-mail addresses, public IP addresses and secrets are placeholders",
    "path": "repository and number",
    "repository": "owner/name",
    "number": "of the thread",
    "date": "of the first event that is known",
    "is_merged": "whether a pull request was merged",
    "num_comments": "comments and reviews that are known",
    "num_users": "users who said something",
    "changed_paths": "of a pull request whose repository lay at hand",
    "license": "of the repository, where it is known",
    "num_bytes": "size in UTF-8",
    "quality": "probability of high quality by the quality model; null without one",
    "num_placeholders": "different values that were replaced",
    "cluster_size": "near-duplicates that this thread stands for, itself included",
    "parents": "the thread's first event, as file and line",
}
THREADS = ("pull_requests", "issues")


@dataclass
class GithubThreadsConfig(
    NearDedupFields, DecontaminationFields, QualityFields, ToxicityFields, TextRuleFields, TaggingFields
):
    """Fields of `github_threads`."""

    archive: list[str] = field(
        default_factory=list, metadata={"help": "hourly files of GH Archive, .json.gz; * and ** are understood"}
    )
    threads: str = field(default="pull_requests", metadata={"help": "what is built: pull_requests or issues"})
    mirrors: str = field(
        default="",
        metadata={"help": "folder of git mirrors, owner/name(.git): base files and diffs; empty: what was said alone"},
    )
    max_base_files: int = field(default=3, metadata={"help": "most files that a pull request may change, the paper's"})
    max_file_bytes: int = field(default=100_000, metadata={"help": "larger files count as changed and are not shown"})

    limited_columns: ClassVar[tuple[str, ...]] = ("num_bytes", "num_comments", "num_users")

    def validate(self) -> None:
        """Check names and ranges."""
        super().validate()
        if self.threads not in THREADS:
            raise ConfigError(f"threads is {self.threads!r}, but must be one of {', '.join(THREADS)}")
        if self.max_base_files < 1 or self.max_file_bytes < 1:
            raise ConfigError("max_base_files and max_file_bytes must be at least 1")


class GithubThreadsBuilder(Builder[GithubThreadsConfig]):
    """Pull requests and issues. Source: paper 2.3.3, which follows StarCoder2."""

    name = "github_threads"
    summary = "pull requests and issues from GH Archive"
    config_class = GithubThreadsConfig
    counted_column = "repository"

    def __init__(self, config: GithubThreadsConfig) -> None:
        super().__init__(config)
        self.curation = Curation(config, self.output_folder, f"\n{EDITS}\n")

    @cached_property
    def paths(self) -> list[Path]:
        """The files of the archive, sorted."""
        return archive_paths(self.config.archive)

    @property
    def mirrors(self) -> Path | None:
        """The folder of git mirrors."""
        return Path(self.config.mirrors).expanduser().absolute() if self.config.mirrors else None

    def stages(self) -> list[Stage]:
        """Read events, join those of a thread, filter threads; keep one of equal, then the best of near-equal ones."""
        config, curation = self.config, self.curation
        return [
            Stage("read", [EventReader(self.paths)], tasks=config.num_tasks),
            Stage(
                "join",
                [
                    JoinThreads(config.threads, self.mirrors, config.max_base_files, config.max_file_bytes),
                    *curation.text_rules(),
                    *curation.sanitization(),
                    *curation.toxicity(),
                    *curation.metric_limits(),
                    *curation.quality(),
                    *curation.decontamination(),
                ],
                tasks=config.num_tasks,
                key=key_of,
                before=curation.index_benchmarks,
            ),
            *curation.dedup_stages(then=[*curation.scores(), *curation.score_limits()]),
        ]

    def check(self) -> None:
        """Raise `ConfigError` when there is nothing to read, or nothing to score with."""
        self.curation.inputs.check()
        if self.config.tagged:
            return
        if not self.config.archive:
            raise ConfigError("archive is not set; name files of GH Archive, such as archive=[2015-01-01-*.json.gz]")
        if not self.paths:
            raise ConfigError(f"archive: no file matches {', '.join(self.config.archive)}")
        if self.mirrors is not None and not self.mirrors.is_dir():
            raise ConfigError(f"mirrors: {self.mirrors} is no folder")

    def inputs(self) -> list[str]:
        """Return the files and what is kept out."""
        names = f"{self.paths[0]}" + (f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else "")
        return [f"archive: {names}", f"mirrors: {self.mirrors or 'none'}", *self.curation.inputs.describe()]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return names, sizes and times of change of the files, and what identifies lists, models and benchmarks."""
        files = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in self.paths]
        return {"archive": files, "mirrors": str(self.mirrors or "")} | self.curation.inputs.fingerprint()

    @property
    def features(self) -> "Features":
        """Columns of the dataset."""
        from datasets import Features, List, Value

        numbers = ("number", "num_comments", "num_users", "num_bytes", "num_placeholders", "cluster_size")
        types = dict.fromkeys(numbers, "int64") | {"quality": "float64", "is_merged": "bool"}
        columns: dict[str, Any] = {name: Value(types.get(name, "string")) for name in COLUMNS}
        columns |= dict.fromkeys(("changed_paths", "parents"), List(Value("string")))
        return Features(columns | dict.fromkeys(self.config.score_columns, Value("float64")))

    def card(self) -> CardParts:
        """Return the card's text."""
        kind = self.config.threads.replace("_", " ")
        shown = " with the base files whole and the diffs" if self.config.mirrors and kind == "pull requests" else ""
        return CardParts(
            title=f"GitHub {kind}",
            description=(
                f"GitHub {kind} of GH Archive{shown}, one per row (section 2.3.3 of arXiv 2503.17793): bots' left out, "
                "users numbered in the order in which they appear. Decontaminated against: "
                f"{self.curation.inputs.decontaminated_against}."
            ),
            license=self.config.license or UNKNOWN_LICENSE,
            tags=["code"],
            columns=COLUMNS | self.curation.inputs.score_descriptions(),
        )
