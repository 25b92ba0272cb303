"""Section 2.1, Figure 2: the curation of text and code, one method per step.

A builder is the list of its steps, written out from these methods:

    steps = [reader, *curation.license(), *curation.rules(), *curation.sanitization(), ...]
"""

from collections.abc import Iterable, Mapping
from copy import copy
from pathlib import Path
from typing import Generic, Self, TypeVar

from datasets_builders.building.config import BuilderConfig
from datasets_builders.building.stages import Stage
from datasets_builders.building.steps import Step
from datasets_builders.building.tagging import selected_from
from datasets_builders.curation.config import (
    DecontaminationFields,
    LicenseFields,
    NearDedupFields,
    QualityFields,
    RuleFields,
    SemanticDedupFields,
    TextRuleFields,
    ToxicityFields,
)
from datasets_builders.curation.decontamination.benchmark_index import Decontamination
from datasets_builders.curation.deduplication.exact import ExactDedup
from datasets_builders.curation.deduplication.near import NearDedup, SignatureWriter, find_clusters
from datasets_builders.curation.deduplication.released import write_released
from datasets_builders.curation.deduplication.semantic import SemanticDedup
from datasets_builders.curation.inputs import CurationInputs
from datasets_builders.curation.license_filter import LicenseFilter
from datasets_builders.curation.quality.limits import QualityLimits
from datasets_builders.curation.quality.model_scores import ModelScores
from datasets_builders.curation.quality.quality_model import QualityScore
from datasets_builders.curation.rules.steps import CodeRules, TextRules
from datasets_builders.curation.sanitization.personal_data import Sanitization
from datasets_builders.curation.sanitization.toxicity import Toxicity, ToxicityLimits
from datasets_builders.curation.syntax.steps import SyntaxCheck
from datasets_builders.languages.detection import languages_of_type

ConfigType = TypeVar("ConfigType", bound=BuilderConfig, covariant=True)


class Curation(Generic[ConfigType]):
    """The steps of the curation, as the fields of a config set them; what is switched off gives no step.

    A method asks for the fields of its own group alone: which, its type says.

    Args:
        config: of the builder, with groups of `curation/config.py` mixed in.
        output_folder (`Path`): of its dataset; what one stage leaves for the next lies below `.build/stages`.
        compared_from (`str`): a heading behind which near-duplicates are compared, where what stands before it is
            shown by many documents.
    """

    def __init__(self, config: ConfigType, output_folder: Path, compared_from: str = "") -> None:
        self.config = config
        self.compared_from = compared_from
        self.inputs = CurationInputs(config)
        self.stage_folder = output_folder / ".build" / "stages"
        self.kinds: tuple[str, ...] = ()

    def of(self, *kinds: str) -> Self:
        """Return the same curation for documents of these kinds alone; others pass its steps as they are."""
        restricted = copy(self)
        restricted.kinds = kinds
        return restricted

    def _steps(self, *steps: Step) -> list[Step]:
        return [step.only_for(*self.kinds) for step in steps]

    def license(self: "Curation[LicenseFields]") -> list[Step]:
        """Keep files whose licence allows it."""
        return self._steps(LicenseFilter(self.config.license_types, self.config.allowed_licenses))

    def rules(self: "Curation[RuleFields]") -> list[Step]:
        """Remove code that breaks a rule."""
        return self._steps(CodeRules(self.config.limits_of_code(), self.config.skipped_rules))

    def text_rules(self: "Curation[TextRuleFields]") -> list[Step]:
        """Remove text that breaks a rule."""
        return self._steps(TextRules(self.config.limits_of_text(), self.config.skipped_rules))

    def sanitization(self) -> list[Step]:
        """Put placeholders for personal data and secrets."""
        return self._steps(Sanitization())

    def syntax(self: "Curation[ToxicityFields]", check: type[SyntaxCheck] = SyntaxCheck) -> list[Step]:
        """Measure code and remove what does not parse; find its comments and strings where toxicity is judged."""
        return self._steps(check(self.config.judges_toxicity))

    def toxicity(self: "Curation[ToxicityFields]") -> list[Step]:
        """Remove what is toxic."""
        config = self.config
        if not config.judges_toxicity:
            return []
        limits = ToxicityLimits(**config.toxicity_limits)
        prose = languages_of_type("prose")
        lists, model = config.word_list_paths, config.toxicity_model_path
        if selected_from(config):  # what they found stands in the rows
            lists, model = [], None
        return self._steps(Toxicity(lists, model, config.toxicity_labels, limits, prose))

    def quality(self: "Curation[QualityFields]") -> list[Step]:
        """Score by the quality model and remove what is below the limit."""
        model = self.config.quality_model_path
        return self._steps(QualityScore(model, self.config.min_quality)) if model else []

    def scores(self: "Curation[QualityFields]") -> list[Step]:
        """Score by each of the scorers."""
        return self._steps(*(ModelScores(scorer) for scorer in self.inputs.scorers))

    def quality_limits(self: "Curation[QualityFields]") -> list[Step]:
        """Keep what lies within all limits."""
        return self._limits(self.config.quality_limits, QualityLimits.name)

    def metric_limits(self: "Curation[QualityFields]") -> list[Step]:
        """Keep what lies within the limits on columns that no scorer fills."""
        scores = self.config.score_columns
        limits = {name: limits for name, limits in self.config.quality_limits.items() if name not in scores}
        return self._limits(limits, QualityLimits.name)

    def score_limits(self: "Curation[QualityFields]") -> list[Step]:
        """Keep what lies within the limits on columns that scorers fill."""
        scores = self.config.score_columns
        limits = {name: limits for name, limits in self.config.quality_limits.items() if name in scores}
        return self._limits(limits, "score_limits")

    def _limits(self, limits: Mapping[str, list[float]], name: str) -> list[Step]:
        return self._steps(QualityLimits(limits, name)) if limits else []

    def decontamination(self: "Curation[DecontaminationFields]", name: str = Decontamination.name) -> list[Step]:
        """Remove what holds a benchmark's texts; `index_benchmarks` runs before its stage.

        Args:
            name: of the step, where a builder has two of them.
        """
        return self._steps(Decontamination(self._index_file, name)) if self.inputs.protected_names else []

    def index_benchmarks(self: "Curation[DecontaminationFields]") -> None:
        """Write the index that `decontamination` reads."""
        if self.inputs.protected_names:
            self.inputs.benchmark_index.save(self._index_file)

    @property
    def _index_file(self) -> Path:
        return self.stage_folder / "decontamination.npz"

    def exact_dedup(self) -> list[Step]:
        """Keep the best of equal documents."""
        return self._steps(ExactDedup())

    def signatures(self: "Curation[NearDedupFields]", batch_size: int = SignatureWriter.batch_size) -> list[Step]:
        """Write the signatures by which near-duplicates are found, in the stage before that of `near_dedup`."""
        return self._steps(
            SignatureWriter(self._signature_folder, batch_size, self.config.near_dedup_threshold, self.compared_from)
        )

    def near_dedup(self: "Curation[NearDedupFields]") -> list[Step]:
        """Keep the best of near-duplicates; `find_clusters` runs before its stage, which it starts."""
        return self._steps(NearDedup(self._signature_folder))

    def find_clusters(self: "Curation[NearDedupFields]") -> None:
        """Join near-duplicates, among them rows of older datasets, into the clusters that `near_dedup` reads."""
        config, folder = self.config, self._signature_folder
        write_released(
            folder,
            config.released_before,
            config.num_tasks,
            config.near_dedup_threshold,
            compared_from=self.compared_from,
        )
        find_clusters(folder, config.num_tasks, config.near_dedup_threshold)

    def dedup_stages(self: "Curation[NearDedupFields]", then: Iterable[Step] = ()) -> list[Stage]:
        """Keep one of equal documents, then the best of near-duplicates: the two stages that most builders share.

        Args:
            then: steps for those that are left.
        """
        tasks = self.config.num_tasks
        return [
            Stage("deduplicate", [*self.exact_dedup(), *self.signatures()], tasks=tasks),
            Stage("near_deduplicate", [*self.near_dedup(), *then], tasks=tasks, before=self.find_clusters),
        ]

    def semantic_dedup(self: "Curation[SemanticDedupFields]") -> list[Step]:
        """Keep the first of documents that mean the same; in a stage of one task."""
        encoder, config = self.inputs.encoder, self.config
        if encoder is None:
            return []
        return self._steps(SemanticDedup(encoder, config.semantic_threshold, config.semantic_max_tokens, config.seed))

    @property
    def _signature_folder(self) -> Path:
        return self.stage_folder / "signatures"
