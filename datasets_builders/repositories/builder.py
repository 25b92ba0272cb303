"""Section 2.2.2: repository-level code: files curated one by one, then each repository as one sample, in order.

python -m datasets_builders repositories --config datasets_builders/repositories/configs/corpus.yaml
"""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets_builders.building.description import CardParts
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import file_sha256
from datasets_builders.building.stages import Stage
from datasets_builders.curation.license_filter import license_of_card
from datasets_builders.curation.rules.steps import TextRules
from datasets_builders.curation.sources_builder import SourcesBuilder
from datasets_builders.repositories.config import RepositoriesConfig
from datasets_builders.repositories.graph import REASONS
from datasets_builders.repositories.reader import CODE, TEXT, RepositoryReader
from datasets_builders.repositories.steps import Concatenate, SyntaxAndImports, repository_of

if TYPE_CHECKING:
    from datasets import Features

SIGNATURE_BATCH_SIZE = 4  # a sample may have ten megabytes


class RepositoriesBuilder(SourcesBuilder[RepositoriesConfig]):
    """Repositories as samples.

    Source: paper 2.2.2.
    """

    name = "repositories"
    summary = "one sample per repository: files in the order of their imports"
    config_class = RepositoriesConfig
    text_column = "content"
    counted_column = "language"
    needs_repositories = True

    def __init__(self, config: RepositoriesConfig) -> None:
        super().__init__(config)
        self.coverage_folder = self.curation.stage_folder / "coverage"

    def stages(self) -> list[Stage]:
        """Curate each file; let the files of a repository meet and join them; keep one of equal or similar samples."""
        config, samples = self.config, self.curation
        code, files = self.curation.of(CODE), self.curation.of(CODE, TEXT)
        concatenate = Concatenate(
            config.arrangement(),
            min_files=config.min_files,
            min_resolved=config.min_resolved,
            has_implicit=config.implicit_imports,
            folder=self.coverage_folder,
            tokenizer=config.tokenizer,
        )
        signatures = samples.signatures(SIGNATURE_BATCH_SIZE) if config.near_dedup else []
        near_deduplicate = Stage(
            "near_deduplicate", samples.near_dedup(), tasks=config.num_tasks, before=samples.find_clusters
        )
        return [
            Stage(
                "filter",
                [
                    RepositoryReader(self.sources, config.wanted_languages()),
                    *files.license(),
                    *code.rules(),
                    TextRules().only_for(TEXT),
                    *files.sanitization(),
                    *code.syntax(SyntaxAndImports),
                    *files.toxicity(),
                    *code.quality(),
                    *files.decontamination(),
                    *code.scores(),
                ],
                tasks=config.num_tasks,
                before=samples.index_benchmarks,
            ),
            Stage("concatenate", [concatenate, *samples.quality_limits()], tasks=config.num_tasks, key=repository_of),
            Stage("deduplicate", [*samples.exact_dedup(), *signatures], tasks=config.num_tasks),
            *([near_deduplicate] if config.near_dedup else []),
        ]

    def check(self) -> None:
        """Raise `ConfigError` when there is nothing to read, or nothing to score or count with."""
        super().check()
        if self.config.tokenizer and not self._tokenizer_file.is_file():
            raise ConfigError(f"tokenizer is {self.config.tokenizer}, but no tokenizer.json lies there")

    def input_fingerprint(self) -> dict[str, Any]:
        """Return what identifies the sources, lists, models, benchmarks and the tokenizer, as hashes."""
        own = {"tokenizer_sha256": file_sha256(self._tokenizer_file)} if self.config.tokenizer else {}
        return super().input_fingerprint() | own

    @property
    def _tokenizer_file(self) -> Path:
        return Path(self.config.tokenizer) / "tokenizer.json"

    @property
    def features(self) -> "Features":
        """Columns of the dataset."""
        from datasets import Features, List, Value

        text, number, fraction = Value("string"), Value("int64"), Value("float64")
        return Features(
            {
                "id": text,
                "content": text,
                "repository": text,
                "part": number,
                "num_parts": number,
                "paths": List(text),
                "language": text,
                "license": text,
                "license_type": text,
                "stars": number,
                "forks": number,
                "date": text,
                "commit": text,
                "repository_url": text,
                "is_fork": Value("bool"),
                "num_files": number,
                "num_bytes": number,
                "file_starts": List(number),
                "file_ends": List(number),
                "languages": List(text),
                "edges": List(
                    {
                        "imported": text,
                        "importing": text,
                        "line": number,
                        "rule": text,
                        "is_weak": Value("bool"),
                    }
                ),
                "num_edges": number,
                "num_unlinked_files": number,
                "cycle_breakers": List(text),
                "num_broken_edges": number,
                "resolved_fraction": fraction,
                "mean_quality": fraction,
                "mean_comment_fraction": fraction,
                "mean_effective_lines": fraction,
                "cluster_size": number,
            }
            | dict.fromkeys(self.config.score_columns, fraction)
        )

    @property
    def tagged_features(self) -> "Features":
        """Columns of files: they are tagged before they are joined."""
        from datasets import Features, Value

        columns = ("id", "content", "kind", "repository", "path", "language", "license", "license_type", "commit")
        return Features({name: Value("string") for name in columns})

    def card(self) -> CardParts:
        """Return the card's text."""
        config = self.config
        license, licenses = license_of_card(self.output_folder)
        return CardParts(
            title=f"Repositories of {self.sources.title}",
            description=(
                f"Code of {self.sources.title}, one row per {config.unit}: its files behind each other, so that what a "
                "file imports comes before it as far as cycles allow (section 2.2.2 of arXiv 2503.17793). Imports are "
                f"found in syntax trees. Order: {config.order}; cycles: {config.cycle_policy}; tests: {config.tests}; "
                f"documentation: {config.documentation}; separators: {config.separators}. Decontaminated against: "
                f"{self.curation.inputs.decontaminated_against}."
            ),
            license=license,
            tags=["code", "repository-level"],
            columns={
                "id": "first 32 hex digits of the SHA-256 of the sample",
                "content": "the files in order, each behind its separator",
                "repository": "name of the code base",
                "part": "from 0, where a long sample was split between files",
                "num_parts": "of the sample",
                "paths": "files, in the order of the sample",
                "language": "of most of the code",
                "license": "licences of all files together (SPDX expression)",
                "license_type": "permissive, non_permissive or no_license",
                "stars": "of the repository; null, as the next five, where the source does not know",
                "forks": "of the repository",
                "date": "of the last change of a file",
                "commit": "revision that the files were read at; null too where they differ",
                "repository_url": "where the repository was cloned from",
                "is_fork": "whether the repository is a fork",
                "num_files": "files in this part",
                "num_bytes": "size in UTF-8",
                "file_starts": "of each file its first character in `content`",
                "file_ends": "of each file the character behind its last",
                "languages": "of each file",
                "edges": "imports by files of this part: file needed, file that needs it, line, the "
                "rule, and whether it gives way in cycles (for type checkers, inside functions, not imported)",
                "num_edges": "imports between files, of all parts",
                "num_unlinked_files": "files of code in this part that import none and are imported by none",
                "cycle_breakers": "files that come before something that they import",
                "num_broken_edges": "imports whose file comes only later",
                "resolved_fraction": "of the imports that should lead to files here, how many do",
                "mean_quality": "mean over the files of code; null without a quality model",
                "mean_comment_fraction": "mean over the files of code",
                "mean_effective_lines": "mean over the files of code",
                "cluster_size": "near-duplicates that this sample stands for, itself included; null: not looked for",
            }
            | self.curation.inputs.score_descriptions(),
            sections={"Imports": self._coverage_table(), "Licences": licenses},
        )

    def _coverage_table(self) -> str:
        """Return, per language, how many imports were resolved, as Markdown."""
        total: dict[str, Counter[str]] = {}
        for path in sorted(self.coverage_folder.glob("*.json")):
            for language, counts in json.loads(path.read_text(encoding="ascii")).items():
                total.setdefault(language, Counter()).update(counts)
        lines = [
            f"| language | {' | '.join(REASONS)} | of those inside |",
            "| --- |" + " ---: |" * (len(REASONS) + 1),
        ]
        for language, counts in sorted(total.items()):
            inside = counts["resolved"] + counts["missing"] + counts["ambiguous"]
            share = f"{counts['resolved'] / inside:.1%}" if inside else ""
            lines.append(f"| {language} | {' | '.join(f'{counts[reason]:,}' for reason in REASONS)} | {share} |")
        return "\n".join(lines)
