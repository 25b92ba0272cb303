"""Section 3.2.4 (direct preference optimization): the DPO dataset: pairs told apart by execution or by a reward model.

Read top to bottom: questions of ours, candidates of several models and open sets are read; wrong answers are found by
running, others are ranked; two answers of each question make a pair.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from datasets_builders.building import BuilderConfig, BuildResult, CardParts, ConfigError, Stage
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.building.rows_page import NUM_SAMPLES, write_rows_page
from datasets_builders.building.steps import Step
from datasets_builders.curation.config import DecontaminationFields, ToxicityFields
from datasets_builders.curation.pipeline import Curation
from datasets_builders.curation.quality.model_source import ModelSource
from datasets_builders.released.answers_read import RANKED_ANSWERS, ReadAnswers
from datasets_builders.released.figures import models_section
from datasets_builders.released.length_bias import NO_LIMITS, BalanceLengths, length_figures
from datasets_builders.released.pictures import pictures_section
from datasets_builders.released.preferences import VERIFIABLE_KINDS, MakePairs, VerifyPairs
from datasets_builders.released.ranking import (
    MIN,
    POLICIES,
    BestScorePercentile,
    ChoosePairs,
    FinishPairs,
    PairPolicy,
    RunAnswers,
    ScoreAnswers,
)
from datasets_builders.released.reward_fields import ENDPOINT, EXECUTION, HEADS, RewardFields
from datasets_builders.released.row_sources import ReadDatasets, RowSource, read_sources
from datasets_builders.released.shares import PREFERENCE_FRACTION, KeepApart, ShareOfQuestions, TrainedPrompts
from datasets_builders.synthesis.program_analysis.jobs import DRIVER
from datasets_builders.synthesis.program_analysis.other_languages.languages import PROGRAM_LANGUAGES
from datasets_builders.synthesis.program_analysis.other_languages.running import RUNTIME_FOLDER
from datasets_builders.synthesis.program_analysis.other_languages.toolchains import check_toolchains

if TYPE_CHECKING:
    from datasets import Features

COLUMNS = {
    "mid": "content hash of the pair, 32 hex digits",
    "prompt": "the question",
    "chosen": "the answer that running showed to be right, or that was ranked first",
    "rejected": "an answer that running showed to be wrong, or that was ranked lower",
    "kind": "kind of question, or ranked_answers for pairs of candidates",
    "language": "programming language of the question; empty where its source names none",
    "verified_by": "execution (both answers were run once more), replay (read off a recorded run), or none",
    "function": "name of the function asked about, where it is about one",
    "module": "its module",
    "cluster": "functions that are near-duplicates or parts of one another's programs share this id",
    "license": "licence of the file that the function stands in, or of the source",
    "source": "name of the dataset that the question is from",
    "chosen_model": "model that gave the chosen answer; empty where a program or a person did",
    "rejected_model": "model that gave the rejected answer",
    "chosen_score": "of the reward that ranked the answers; null where running told them apart",
    "rejected_score": "of the rejected answer",
    "on_policy": "which of the answers are of the model that is to be trained: both, chosen, rejected or none",
    "chosen_chars": "length of the chosen answer in characters",
    "rejected_chars": "length of the rejected answer in characters",
    "similarity": "edit similarity of the two answers: one minus the Levenshtein distance over the longer length",
    "parents": "id of the question in its source",
}

# Drawn by value in the card.
DRAWN_COLUMNS = ("kind", "source", "on_policy", "chosen_model", "rejected_model")


@dataclass
class DPOConfig(DecontaminationFields, ToxicityFields):
    """Fields of `dpo`."""

    input: str = field(default="", metadata={"help": "folder of a synthetic_qa dataset; may be empty with candidates"})
    candidates: list[dict[str, Any]] = field(
        default_factory=list,
        metadata={"help": "datasets of questions with several answers each, such as [{dataset: outputs/answers}]"},
    )
    preference_sets: list[dict[str, Any]] = field(
        default_factory=list,
        metadata={"help": "open sets of chosen and rejected answers that are merged in: [{dataset: ORG/NAME}]"},
    )
    reward: dict[str, Any] = field(
        default_factory=dict,
        metadata={"help": "what ranks their answers: {kind: given, classifier, causal, endpoint or execution, ...}"},
    )
    rejected_policy: str = field(
        default=MIN, metadata={"help": "which of the worse answers is rejected: min, margin or random"}
    )
    margins: list[float] = field(
        default_factory=list, metadata={"help": "[least, most] difference of the two scores; empty: no limits"}
    )
    min_best_score: float | None = field(
        default=None, metadata={"help": "score that the best answer to a question must reach, as in the paper"}
    )
    min_best_percentile: float = field(
        default=0.0, metadata={"help": "percentile of its source that a question's best score must reach"}
    )
    own_models: list[str] = field(
        default_factory=list, metadata={"help": "names of the models of which one is to be trained on the pairs"}
    )
    conversational: bool = field(
        default=False, metadata={"help": "write prompt, chosen and rejected as lists of messages; else as texts"}
    )
    max_length_ratio: float = field(
        default=0.0, metadata={"help": "largest ratio of the lengths of two ranked answers; 0 for no limit"}
    )
    program_languages: list[str] = field(
        default_factory=lambda: ["Python", *PROGRAM_LANGUAGES],
        metadata={
            "help": "languages whose questions make pairs; each that the input holds needs its toolchain "
            "(bash evals/toolchains.sh), since both answers are run once more"
        },
    )
    isolation: str = field(default="auto", metadata={"help": "sandbox: auto, bubblewrap, namespaces or rlimits"})
    max_pairs_per_question: int = field(
        default=1, metadata={"help": "most wrong answers of a question that become pairs"}
    )
    max_chars: int = field(default=6000, metadata={"help": "longest prompt with one answer, in characters"})
    max_pair_similarity: float = field(
        default=0.9, metadata={"help": "edit similarity from which on two answers are too near to be a pair"}
    )
    chosen_longer_limits: list[float] = field(
        default_factory=lambda: list(NO_LIMITS),
        metadata={"help": "[least, most] part of the training pairs whose chosen answer is the longer one"},
    )
    preference_fraction: float = field(
        default=PREFERENCE_FRACTION,
        metadata={"help": "part of the functions whose training questions sft leaves to dpo; the same for both"},
    )
    disjoint_from: list[str] = field(
        default_factory=list, metadata={"help": "folders of datasets with whose training prompts no pair may share"}
    )

    def validate(self) -> None:
        """Check ranges."""
        super().validate()
        known = ("Python", *PROGRAM_LANGUAGES)
        if unknown := [name for name in self.program_languages if name not in known]:
            raise ConfigError(f"program_languages: {', '.join(unknown)}; known are {', '.join(known)}")
        for name in ("max_pairs_per_question", "max_chars"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if not 0 < self.max_pair_similarity <= 1:
            raise ConfigError(f"max_pair_similarity is {self.max_pair_similarity}, but must be above 0 and at most 1")
        if not 0 <= self.preference_fraction <= 1:
            raise ConfigError(f"preference_fraction is {self.preference_fraction}, but must be from 0 to 1")
        limits = self.chosen_longer_limits
        if len(limits) != 2 or not 0 <= limits[0] <= limits[1] <= 1:
            raise ConfigError(
                f"chosen_longer_limits is {limits}, but must be [least, most] with 0 <= least <= most <= 1"
            )
        read_sources([*self.candidates, *self.preference_sets], "candidates and preference_sets")
        RewardFields.read(self.reward)
        if self.rejected_policy not in POLICIES:
            raise ConfigError(f"rejected_policy is {self.rejected_policy!r}; known: {', '.join(POLICIES)}")
        if self.margins and (len(self.margins) != 2 or not 0 <= self.margins[0] <= self.margins[1]):
            raise ConfigError(f"margins is {self.margins}, but must be [least, most] with 0 <= least <= most")
        if not 0 <= self.min_best_percentile < 100:
            raise ConfigError(f"min_best_percentile is {self.min_best_percentile}, but must be from 0 to below 100")
        if self.max_length_ratio and self.max_length_ratio < 1:
            raise ConfigError(f"max_length_ratio is {self.max_length_ratio}, but must be 0 or at least 1")

    def policy(self) -> PairPolicy:
        """Return which two of ranked answers make a pair."""
        least, most = self.margins or (0.0, float("inf"))
        return PairPolicy(self.rejected_policy, (least, most), self.min_best_score, self.own_models, self.seed)


class DPOBuilder(DerivedBuilder[DPOConfig]):
    """Preference pairs: of computed questions, verified by running; of several models' answers, ranked.

    Source: paper 3.2.4 for candidates, reward model and limit; execution in place of it and the policies are ours.
    """

    name: ClassVar[str] = "dpo"
    summary: ClassVar[str] = "preference pairs, verified by execution or ranked by a reward model"
    config_class: ClassVar[type[BuilderConfig]] = DPOConfig
    input_builder: ClassVar[str] = "synthetic_qa"
    id_column: ClassVar[str] = "mid"
    text_column: ClassVar[str | None] = None
    counted_column: ClassVar[str | None] = "kind"

    def __init__(self, config: DPOConfig) -> None:
        super().__init__(config)
        # Questions are decontaminated where they are made: without other datasets there is nothing to compare.
        has_sources = config.candidates or config.preference_sets
        compared = config if has_sources else replace(config, decontaminate=[], decontaminate_with=[])
        self.curation = Curation(compared, self.output_folder)
        self.reward = RewardFields.read(config.reward)

    @cached_property
    def sources(self) -> list[RowSource]:
        """The datasets of candidates and of open pairs."""
        return read_sources([*self.config.candidates, *self.config.preference_sets])

    @cached_property
    def reward_source(self) -> ModelSource | None:
        """The reward model that is loaded here."""
        return self.reward.source()

    @property
    def features(self) -> Features:
        """Columns of the dataset."""
        from datasets import Features, List, Value

        text, number, fraction = Value("string"), Value("int64"), Value("float64")
        others: dict[str, Any] = {"parents": List(text)}
        others |= dict.fromkeys(("chosen_chars", "rejected_chars"), number)
        others |= dict.fromkeys(("similarity", "chosen_score", "rejected_score"), fraction)
        if self.config.conversational:
            messages = List({"role": text, "content": text})
            others |= dict.fromkeys(("prompt", "chosen", "rejected"), messages)
        return Features({name: others.get(name, text) for name in COLUMNS})

    def stages(self) -> list[Stage]:
        """Make pairs of the questions that fine-tuning leaves and of ranked answers; keep apart, verify, balance."""
        config, curation = self.config, self.curation.of(RANKED_ANSWERS)
        floor = [BestScorePercentile(config.min_best_percentile).only_for(RANKED_ANSWERS)]
        choose = ChoosePairs(config.policy(), config.max_pair_similarity, config.conversational)
        finish = FinishPairs(Path(config.input).name, config.max_chars, config.max_length_ratio, config.conversational)
        return [
            Stage(
                "pairs",
                [
                    ReadDatasets(self.input_paths, self.sources, RANKED_ANSWERS),
                    ReadAnswers(self.sources, config.judges_toxicity).only_for(RANKED_ANSWERS),
                    ShareOfQuestions("dpo", config.preference_fraction, config.seed),
                    *curation.toxicity(),
                    *curation.decontamination(),
                    MakePairs(
                        config.max_pairs_per_question,
                        config.max_chars,
                        config.max_pair_similarity,
                        config.program_languages,
                    ),
                    *([KeepApart(self._trained_file)] if config.disjoint_from else []),
                    VerifyPairs(config.isolation).only_for(*VERIFIABLE_KINDS),
                    *self._scoring(),
                ],
                tasks=config.num_tasks,
                before=self._prepare,
            ),
            Stage(
                "choose",
                [
                    *(floor if config.min_best_percentile else []),
                    choose.only_for(RANKED_ANSWERS),
                    finish,
                    BalanceLengths(config.chosen_longer_limits, config.seed),
                ],
                tasks=1,
            ),
        ]

    def _scoring(self) -> list[Step]:
        if self.reward.kind in (*HEADS, ENDPOINT):
            return [ScoreAnswers(self.reward, self.reward_source).only_for(RANKED_ANSWERS)]
        return [RunAnswers(self.config.isolation).only_for(RANKED_ANSWERS)] if self.reward.kind == EXECUTION else []

    def _prepare(self) -> None:
        self.curation.index_benchmarks()
        self._index_trained_prompts()

    @property
    def _trained_file(self) -> Path:
        return self.output_folder / ".build" / "stages" / "trained_prompts.npz"

    def _index_trained_prompts(self) -> None:
        if self.config.disjoint_from:
            TrainedPrompts.of(self.config.disjoint_from).save(self._trained_file)

    @property
    def input_paths(self) -> list[str]:
        """The dataset of questions, where there is one."""
        return [self.config.input] if self.config.input or not self.sources else []

    @property
    def license(self) -> str:
        """The licence that the config states, else the licences of all inputs together, as an SPDX expression."""
        if self.config.license:
            return self.config.license
        stated = {dataset.license for dataset in self.input_datasets}
        return " AND ".join(sorted(stated | {source.license_of_dataset for source in self.sources}))

    def check(self) -> None:
        """Raise `ConfigError` when a dataset or the reward model is not there."""
        if self.input_paths:
            super().check()
            check_toolchains(sorted(self._languages.intersection(self.config.program_languages)))
        for folder in self.config.disjoint_from:
            DatasetFolder(folder).check()
        for source in self.sources:
            _ = source.files
        _ = self.reward_source

    @property
    def _languages(self) -> set[str]:
        """Programming languages of the questions."""
        shards = [shard for dataset in self.input_datasets for shard in dataset.shards if "languages" in shard.columns]
        return {language for shard in shards for row in shard.rows(["languages"]) for language in row["languages"]}

    def inputs(self) -> list[str]:
        """Return a line per dataset, what ranks answers, and what is kept out."""
        lines = [f"dataset {path}" for path in self.input_paths]
        lines += [f"dataset {source.name} ({source.license_of_dataset})" for source in self.sources]
        if self.sources:
            lines += [f"answers ranked by: {self.ranked_by}", *self.curation.inputs.describe()]
        return lines

    @property
    def ranked_by(self) -> str:
        """What ranks the answers, in words that name no folder."""
        if self.reward_source:
            found = self.reward_source
            return found.identity() if found.revision else Path(found.name).name
        return f"{self.reward.kind} {self.reward.model}".strip()

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of the inputs, of what ranks answers, and the program that runs in the sandbox."""
        shards = super().input_fingerprint() if self.input_paths else {}
        return (
            shards
            | self.curation.inputs.fingerprint()
            | {
                "sandbox_program": [DRIVER, *(path.read_text("utf-8") for path in sorted(RUNTIME_FOLDER.iterdir()))],
                "disjoint_from": [DatasetFolder(folder).fingerprint() for folder in self.config.disjoint_from],
                "sources": [source.identity() for source in self.sources],
                "reward": self.reward_source.identity() if self.reward_source else self.reward.model,
            }
        )

    @property
    def card_title(self) -> str:
        """The heading of the card."""
        return "DPO: preference pairs verified by execution" if not self.sources else "DPO: preference pairs"

    def run(self) -> BuildResult:
        """Build the dataset and write a page of its rows beside it."""
        result = super().run()
        write_rows_page(
            DatasetFolder(self.output_folder), num_rows=NUM_SAMPLES, title=self.card_title, seed=self.config.seed
        )
        return result

    def card(self) -> CardParts:
        """Return the card's text."""
        sections = {
            "Figures": length_figures(self.output_folder),
            "In pictures": pictures_section(self.output_folder, DRAWN_COLUMNS),
        }
        if self.sources:
            sections["Models and on-policy answers"] = models_section(self.output_folder)
        compared = self.curation.inputs.decontaminated_against if self.sources else "what their builder names"
        ranked = f"\nAnswers of other datasets were ranked by: {self.ranked_by}.\n" if self.sources else ""
        return CardParts(
            title=self.card_title,
            description=f"{_DESCRIPTION}{ranked}\nDecontaminated against: {compared}.",
            license=self.license,
            columns=COLUMNS,
            tags=["code", "dpo"],
            usage=_USAGE,
            sections=sections,
        )


_USAGE = """
pairs = dataset["train"].select_columns(["prompt", "chosen", "rejected"])  # for DPOTrainer of TRL and recipes/dpo.py
"""

_DESCRIPTION = """
Preference pairs in the schema of Ling-Coder-DPO. But for `ranked_answers`, the chosen answer was seen to be right and
the rejected one to be wrong, by running both in a sandbox when the questions were made and once more when the pairs
were.

- `execution_prediction`, `argument_afterwards`, `local_value`, `branch_prediction`: chosen is the value that was seen;
  rejected is what a faulty version of the function gave for the same call, or a value that this function has for other
  arguments or at another place.
- `input_prediction`, `counterexample`: chosen is a call that gives what is asked for, rejected one that does not.
- `exception_prediction`, `faulty_line`: chosen is the exception or the line, rejected another one.
- `ranked_answers`: chosen has the highest score of a question's answers, rejected a lower one.
- `code_repair`, `docstring_to_code`, `refactoring`: chosen is the author's function, or the same written another way,
  which passes the check; rejected is a faulty version, which fails it.

Questions about other languages than Python run in their own toolchains, both sides in two processes each.

Two answers as near as `max_pair_similarity` are no pair, nor is a value of another type where the code makes the type
plain. The splits are those of the input: functions and their near-duplicates are never on both sides. The training
pairs are about functions of which `sft` asks nothing: each builder takes whole clusters, by the same hash.
"""
