"""Section 2.3.1: pages of a crawl as Markdown whose code is as its authors wrote it, curated."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from datasets_builders.building.builder import Builder
from datasets_builders.building.dataset_folder import UNKNOWN_LICENSE
from datasets_builders.building.description import CardParts
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import file_sha256
from datasets_builders.building.stages import Stage
from datasets_builders.building.tagging import TaggingFields
from datasets_builders.code_related.web_pages.addresses import (
    OTHER,
    SITE_CATEGORIES,
    CategorizeSites,
    SelectAddresses,
    read_address_file,
)
from datasets_builders.code_related.web_pages.archives import archive_paths
from datasets_builders.code_related.web_pages.steps import TOPICS, CrawlReader, ExtractPages, SelectPages
from datasets_builders.code_related.web_pages.table_pages import check_columns, check_table
from datasets_builders.curation.config import (
    DecontaminationFields,
    NearDedupFields,
    QualityFields,
    TextRuleFields,
    ToxicityFields,
)
from datasets_builders.curation.pipeline import Curation
from datasets_builders.sources.table_rows import is_table

if TYPE_CHECKING:
    from datasets import Features

SELECT = ("all", "with", "without")
NUMBERS = ("num_code_blocks", "num_formulas", "num_bytes", "num_placeholders", "cluster_size")
COLUMNS = {
    "id": "first 32 hex digits of the SHA-256 of the text",
    "text": "the page as Markdown; e-mail addresses, public IP addresses and secrets are placeholders",
    "url": "where it was; of equal texts the first in the order of the alphabet",
    "site": "host, without www.",
    "title": "of the page",
    "date": "when it was crawled",
    "site_category": "kind of the site by its address: forum, documentation, ..., other",
    "crawl_file": "WARC or WET file, or table",
    "num_code_blocks": "blocks of code in the text",
    "code_fraction": "characters in them over all",
    "num_formulas": "formulas in the text, as TeX",
    "num_bytes": "size in UTF-8",
    "quality": "probability of high quality by the quality model; null without one",
    "num_placeholders": "different values that were replaced",
    "cluster_size": "near-duplicates that this text stands for, itself included",
}


@dataclass
class WebPagesConfig(
    NearDedupFields, DecontaminationFields, QualityFields, ToxicityFields, TextRuleFields, TaggingFields
):
    """Fields of `web_pages`."""

    crawl: list[str] = field(
        default_factory=list,
        metadata={"help": "WARC and WET files, plain or .gz, and tables (.parquet, .jsonl); * and ** are understood"},
    )
    columns: dict[str, str] = field(
        default_factory=dict,
        metadata={"help": "columns of tables by our names (html, text, url, date, charset), such as {html: body}"},
    )
    topic: str = field(default="code", metadata={"help": "what pages are recalled about: code or math"})
    select: str = field(
        default="all",
        metadata={"help": "which pages are kept: all, with or without a block of code, or a formula (round 0)"},
    )
    address_file: str = field(
        default="",
        metadata={"help": "text file with a pattern of addresses per line, such as docs.*/*; no other page is kept"},
    )
    site_categories: dict[str, list[str]] = field(
        default_factory=lambda: {name: [*patterns] for name, patterns in SITE_CATEGORIES.items()},
        metadata={"help": "kind of sites to patterns of addresses; the first that matches is noted"},
    )
    category_limits: dict[str, dict[str, list[float]]] = field(
        default_factory=dict,
        metadata={"help": "kind of sites to limits as quality_limits has them, such as {forum: {quality: [0.9, 1]}}"},
    )
    main_content: bool = field(default=True, metadata={"help": "whether menus, footers and the like are left out"})
    min_chars: int = field(default=200, metadata={"help": "shorter texts are removed"})
    max_bytes: int = field(default=5_000_000, metadata={"help": "larger pages are removed"})

    limited_columns: ClassVar[tuple[str, ...]] = ("num_code_blocks", "code_fraction", "num_formulas", "num_bytes")

    def validate(self) -> None:
        """Check names and ranges."""
        super().validate()
        for name, known in (("topic", tuple(TOPICS)), ("select", SELECT)):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, but must be one of {', '.join(known)}")
        check_columns(self.columns)
        if self.max_bytes < 1 or self.min_chars < 0:
            raise ConfigError("max_bytes must be at least 1 and min_chars at least 0")
        self._check_category_limits()

    def _check_category_limits(self) -> None:
        columns = [*self.limited_columns, *(["quality"] if self.quality_model else []), *self.score_columns]
        for category, limits in self.category_limits.items():
            if category not in (*self.site_categories, OTHER):
                known = ", ".join((*self.site_categories, OTHER))
                raise ConfigError(f"category_limits: unknown kind of sites {category!r}; known: {known}")
            for name, bounds in limits.items():
                if name not in columns:
                    raise ConfigError(
                        f"category_limits: {category}: unknown column {name!r}; known: {', '.join(columns)}"
                    )
                if len(bounds) != 2 or not bounds[0] <= bounds[1]:
                    raise ConfigError(
                        f"category_limits: {category}: {name} is {bounds}, but must be [minimum, maximum]"
                    )


class WebPagesBuilder(Builder[WebPagesConfig]):
    """Pages of a crawl. Source: paper 2.3.1; round 0 is Seed-Coder's, recall by address DeepSeekMath's."""

    name = "web_pages"
    summary = "pages of WARC files and tables as Markdown with exact code"
    config_class = WebPagesConfig
    counted_column = "site"

    def __init__(self, config: WebPagesConfig) -> None:
        super().__init__(config)
        self.curation = Curation(config, self.output_folder)

    @cached_property
    def paths(self) -> list[Path]:
        """The files of the crawl, sorted."""
        return archive_paths(self.config.crawl)

    @cached_property
    def address_patterns(self) -> list[str]:
        """The patterns of `address_file`; none without one."""
        path = self.config.address_file
        return read_address_file(Path(path).expanduser()) if path else []

    def stages(self) -> list[Stage]:
        """Read, extract and filter each page; keep one of equal texts, then the best of near-duplicates."""
        config, curation = self.config, self.curation
        return [
            Stage(
                "filter",
                [
                    CrawlReader(self.paths, config.max_bytes, config.columns),
                    *([SelectAddresses(self.address_patterns)] if config.address_file else []),
                    ExtractPages(config.main_content, config.min_chars, config.judges_toxicity),
                    SelectPages(config.topic, config.select),
                    *curation.text_rules(),
                    *curation.sanitization(),
                    *curation.toxicity(),
                    *curation.metric_limits(),
                    *curation.quality(),
                    *curation.decontamination(),
                ],
                tasks=config.num_tasks,
                before=curation.index_benchmarks,
            ),
            *curation.dedup_stages(
                then=[
                    *curation.scores(),
                    *curation.score_limits(),
                    CategorizeSites(config.site_categories, config.category_limits),
                ]
            ),
        ]

    def check(self) -> None:
        """Raise `ConfigError` when there is nothing to read, or nothing to score with."""
        self.curation.inputs.check()
        if self.config.tagged:
            return
        if not self.config.crawl:
            raise ConfigError("crawl is not set; name WARC files, such as crawl=[crawl/*.warc.gz]")
        if not self.paths:
            raise ConfigError(f"crawl: no file matches {', '.join(self.config.crawl)}")
        tables = [path for path in self.paths if is_table(path.name)]
        for path in tables:
            check_table(path, self.config.columns)
        if self.config.columns and not tables:
            raise ConfigError("columns names columns of tables, but crawl has none (.parquet, .jsonl)")

    def inputs(self) -> list[str]:
        """Return the files and what is kept out."""
        names = f"{self.paths[0]}" + (f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else "")
        return [f"crawl: {names}", *self.curation.inputs.describe()]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return names, sizes and times of change of the files, and what identifies lists, models and benchmarks."""
        files = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in self.paths]
        address_file = self.config.address_file
        addresses = {"addresses": file_sha256(Path(address_file).expanduser())} if address_file else {}
        return {"crawl": files} | addresses | self.curation.inputs.fingerprint()

    @property
    def features(self) -> "Features":
        """Columns of the dataset."""
        from datasets import Features, Value

        numbers = dict.fromkeys(NUMBERS, "int64")
        types = numbers | dict.fromkeys(("code_fraction", "quality"), "float64")
        columns = {name: Value(types.get(name, "string")) for name in COLUMNS}
        return Features(columns | dict.fromkeys(self.config.score_columns, Value("float64")))

    def card(self) -> CardParts:
        """Return the card's text."""
        return CardParts(
            title=f"Web pages about {self.config.topic}",
            description=(
                "Pages of a crawl as Markdown, one per row (section 2.3.1 of arXiv 2503.17793): code is in fences, "
                "line by line as its authors wrote it, without the line numbers and buttons of the page. "
                f"Decontaminated against: {self.curation.inputs.decontaminated_against}."
            ),
            license=self.config.license or UNKNOWN_LICENSE,
            tags=[self.config.topic, "web"],
            columns=COLUMNS | self.curation.inputs.score_descriptions(),
        )
