"""Section 2.2.2: repository-level code: files curated one by one, then each repository as one sample, in order.

python -m datasets_builders repositories --config datasets_builders/repositories/configs/corpus.yaml
"""

import json
from collections import Counter
from typing import TYPE_CHECKING, cast

from datasets_builders.building.card import CardParts
from datasets_builders.building.stages import Stage
from datasets_builders.building.steps import Step
from datasets_builders.curation.deduplication.exact import ExactDedup
from datasets_builders.curation.quality.limits import QualityLimits
from datasets_builders.curation.quality.quality_model import QualityScore
from datasets_builders.curation.rules.steps import CodeRules, TextRules
from datasets_builders.repositories.config import RepositoriesConfig
from datasets_builders.repositories.graph import REASONS
from datasets_builders.repositories.reader import CODE, TEXT, RepositoryReader
from datasets_builders.repositories.steps import Concatenate, SyntaxAndImports, repository_of
from datasets_builders.source_code.corpus import CodeCorpusBuilder

if TYPE_CHECKING:
    from datasets import Features

SIGNATURES_AT_ONCE = 4  # a sample may have ten megabytes


class RepositoriesBuilder(CodeCorpusBuilder):
    """Repositories as samples.

    Source: paper 2.2.2.
    """

    name = "repositories"
    summary = "one sample per repository: files in the order of their imports"
    config_class = RepositoriesConfig

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
                "num_files": number,
                "num_bytes": number,
                "num_edges": number,
                "cycle_breakers": List(text),
                "num_broken_edges": number,
                "resolved_fraction": fraction,
                "mean_quality": fraction,
                "mean_comment_fraction": fraction,
                "mean_effective_lines": fraction,
                "cluster_size": number,
            }
            | dict.fromkeys(self.code.score_columns, fraction)
        )

    def stages(self) -> list[Stage]:
        """Curate each file; let the files of a repository meet and join them; keep one of equal or similar samples."""
        config = cast(RepositoriesConfig, self.config)
        limits: list[Step] = [QualityLimits(config.quality_limits)] if config.quality_limits else []
        concatenate = Concatenate(
            config.arrangement(),
            config.min_files,
            config.min_resolved,
            config.implicit_imports,
            self.stage_folder / "coverage",
        )
        steps = [RepositoryReader(config, self.sources), *self.file_steps()]
        signatures, near_deduplicate = self.near_deduplication(config.num_tasks, SIGNATURES_AT_ONCE)
        return [
            Stage("filter", steps, tasks=config.num_tasks, before=self.prepare_curation()),
            Stage("concatenate", [concatenate, *limits], tasks=config.num_tasks, key=repository_of),
            Stage("deduplicate", [ExactDedup(), *([signatures] if config.near_dedup else [])], tasks=config.num_tasks),
            *([near_deduplicate] if config.near_dedup else []),
        ]

    def file_steps(self) -> list[Step]:
        """Return the curation of single files, each step for the files that it is meant for."""
        found: list[Step] = []
        for step in self.curation([], SyntaxAndImports(self.code.judges_toxicity)):
            is_for_code = isinstance(step, CodeRules | SyntaxAndImports | QualityScore)
            found.append(step.only_for(CODE) if is_for_code else step.only_for(CODE, TEXT))
            if isinstance(step, CodeRules):
                found.append(TextRules().only_for(TEXT))
        return found + [step.only_for(CODE) for step in self.scoring()]

    def card(self) -> CardParts:
        """Return the card's text."""
        config = cast(RepositoriesConfig, self.config)
        license, licenses = self.license_of_card()
        return CardParts(
            title=f"Repositories of {self.title}",
            description=(
                f"Code of {self.title}, one row per {config.unit}: its files behind each other, so that what a file "
                "imports comes before it as far as cycles allow (section 2.2.2 of arXiv 2503.17793). Imports are found "
                f"in syntax trees. Cycles: {config.cycle_policy}; tests: {config.tests}; documentation: "
                f"{config.documentation}; separators: {config.separators}. Decontaminated against: "
                f"{self.clean_of or 'nothing, as the config asks for'}."
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
                "stars": "of the repository; null, as the next two, where the source does not know",
                "forks": "of the repository",
                "date": "of the last change of a file",
                "num_files": "files in this part",
                "num_bytes": "size in UTF-8",
                "num_edges": "imports between files",
                "cycle_breakers": "files that come before something that they import",
                "num_broken_edges": "imports whose file comes only later",
                "resolved_fraction": "of the imports that should lead to files here, how many do",
                "mean_quality": "mean over the files of code; null without a quality model",
                "mean_comment_fraction": "mean over the files of code",
                "mean_effective_lines": "mean over the files of code",
                "cluster_size": "near-duplicates that this sample stands for, itself included; null: not looked for",
            }
            | self.score_descriptions(),
            sections={"Imports": self._coverage_table(), "Licences": licenses},
        )

    def _coverage_table(self) -> str:
        """Return, per language, how many imports were resolved, as Markdown."""
        total: dict[str, Counter[str]] = {}
        for path in sorted((self.stage_folder / "coverage").glob("*.json")):
            for language, counts in json.loads(path.read_text(encoding="ascii")).items():
                total.setdefault(language, Counter()).update(counts)
        lines = [
            f"| language | {' | '.join(REASONS)} | of those inside |",
            "| --- |" + " ---: |" * (len(REASONS) + 1),
        ]
        for language, counts in sorted(total.items()):
            inside = counts["resolved"] + counts["missing"] + counts["ambiguous"]
            share = f"{counts['resolved'] / inside:.1%}" if inside else ""
            lines.append(f"| {language} | {' | '.join(f'{counts[one]:,}' for one in REASONS)} | {share} |")
        return "\n".join(lines)
