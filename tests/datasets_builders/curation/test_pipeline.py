"""The curation of prose, written out by a builder of pages that knows nothing of source code."""

import json
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from datasets import Features, Value
from datatrove.data import Document

from datasets_builders.building import Builder, BuilderConfig, CardParts, ConfigError, Generator, Stage
from datasets_builders.curation.config import (
    DecontaminationFields,
    LanguageFields,
    LicenseFields,
    NearDedupFields,
    QualityFields,
    RuleFields,
    TextRuleFields,
    ToxicityFields,
)
from datasets_builders.curation.pipeline import Curation
from datasets_builders.repositories.config import RepositoriesConfig
from datasets_builders.source_code.config import SourceCodeConfig

SENTENCE = "Page {0} tells how apples of kind {0} are stored in winter, by which farmer and for how many weeks. "
PAGE = "".join(SENTENCE.format(f"{{0}}{letter}") for letter in "abcdefgh")
QUESTION = "Write a function that returns the number of apples which a basket of the given size holds."
PAGES = {
    "good": PAGE.format("one"),
    "same": PAGE.format("one"),
    "similar": PAGE.format("one") + "And so on.",
    "other": PAGE.format("two"),
    "secret": PAGE.format("three") + "Write to jane.doe@company.com.",
    "toxic": PAGE.format("four") + "Vile vermin! Vile vermin! Vile vermin! " * 5,
    "leaked": PAGE.format("five") + QUESTION,
    "empty": "This page is intentionally left blank.",
}


@dataclass
class PagesConfig(NearDedupFields, DecontaminationFields, ToxicityFields, TextRuleFields):
    """Configuration of pages."""


class Pages(Generator):
    """Write pages."""

    name = "pages"

    def generate(self, rank, world_size):
        for name, text in PAGES.items() if rank == 0 else ():
            yield Document(text=text, id=text[:40] if name in ("good", "same") else name, metadata={"path": name})


class PagesBuilder(Builder[PagesConfig]):
    """Pages."""

    name, summary, config_class = "pages", "pages of text", PagesConfig

    @property
    def features(self):
        return Features({"id": Value("string"), "text": Value("string"), "path": Value("string")})

    def stages(self):
        tasks, curation = self.config.num_tasks, Curation(self.config, self.output_folder)
        steps = [
            Pages(),
            *curation.text_rules(),
            *curation.sanitization(),
            *curation.toxicity(),
            *curation.decontamination(),
        ]
        return [
            Stage("filter", steps, tasks, before=curation.index_benchmarks),
            Stage("deduplicate", [*curation.exact_dedup(), *curation.signatures()], tasks),
            Stage("near_deduplicate", curation.near_dedup(), tasks, before=curation.find_clusters),
        ]

    def card(self):
        return CardParts("Pages", "Pages of text.", license="unknown")


@pytest.fixture
def config(tmp_path):
    (tmp_path / "words.txt").write_text("vile vermin\n")
    (tmp_path / "mine.jsonl").write_text(json.dumps({"question": QUESTION}) + "\n")
    return PagesConfig(
        output_dir=str(tmp_path / "pages"),
        num_tasks=2,
        toxicity_words=[str(tmp_path / "words.txt")],
        decontaminate=[],
        decontaminate_with=[f"{tmp_path}/mine.jsonl:question"],
    )


def test_a_builder_of_prose_writes_its_curation_out(config):
    ledger = PagesBuilder(config).run().ledger
    reasons = {step.name: dict(step.reasons) for step in ledger.steps if step.reasons}
    assert reasons["text_rules"] == {"placeholders": 1}
    assert reasons["toxicity"] == {"toxic_words": 1}
    assert sum(reasons["decontamination"].values()) == 1
    assert reasons["exact_dedup"] == {"same_content": 1}
    assert reasons["near_dedup"] == {"near_duplicate": 1}
    assert ledger.steps[-1].output == len(PAGES) - 5


def test_the_rules_for_text_are_set_by_their_own_names(tmp_path):
    limits = Curation(PagesConfig(rule_limits={"max_placeholders": 1}), tmp_path).text_rules()[0].limits
    assert limits.max_placeholders == 1
    for given, message in (
        ({"rule_limits": {"max_pages": 1}}, "rule_limits: unknown 'max_pages'; known: max_lines, .*max_placeholders"),
        ({"skipped_rules": ["vendored"]}, "skipped_rules: unknown 'vendored'; known: image_references"),
    ):
        with pytest.raises(ConfigError, match=message):
            PagesConfig(**given)


def test_lists_and_benchmarks_are_identified_by_their_contents(config, tmp_path):
    before = Curation(config, tmp_path).inputs.fingerprint()
    assert set(before) == {"toxicity_words_sha256", "benchmarks_sha256"}
    (tmp_path / "words.txt").write_text("vile vermin\nrats\n")
    (tmp_path / "mine.jsonl").write_text(json.dumps({"question": QUESTION[10:]}) + "\n")
    after = Curation(config, tmp_path).inputs.fingerprint()
    assert all(before[name] != after[name] for name in before)


def test_steps_of_some_kinds_pass_the_others_by():
    curation = Curation(SourceCodeConfig(decontaminate=[]), Path("unused"))
    (code,), (of_all,) = curation.of("code", "text").sanitization(), curation.sanitization()
    assert code.only_kinds == {"code", "text"} and not of_all.only_kinds


def test_the_curation_of_prose_does_not_import_source_code():
    script = (
        "import sys, datasets_builders.curation.pipeline\n"
        "rooms = ('source_code', 'repositories', 'synthesis')\n"
        "print([name for name in sys.modules if name.startswith(tuple(f'datasets_builders.{room}' for room in rooms))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("group", "given"),
    [
        (LicenseFields, {"license_types": ["free"]}),
        (LanguageFields, {"languages": ["Cpp"]}),
        (RuleFields, {"skipped_rules": ["placeholders"]}),
        (ToxicityFields, {"toxicity_limits": {"hits": 0}}),
        (QualityFields, {"min_quality": 0.5}),
        (DecontaminationFields, {"decontaminate": ["humanevil"]}),
        (NearDedupFields, {"near_dedup_threshold": 0}),
    ],
)
def test_a_group_of_fields_checks_itself_wherever_it_is_mixed_in(group, given):
    for config_class in (group, SourceCodeConfig, RepositoriesConfig):
        with pytest.raises(ConfigError, match=next(iter(given))):
            config_class(**given)


def test_groups_share_no_field():
    groups = (LicenseFields, LanguageFields, RuleFields, ToxicityFields, QualityFields, DecontaminationFields)
    common = {field.name for field in fields(BuilderConfig)}
    own = [field.name for group in (*groups, NearDedupFields) for field in fields(group) if field.name not in common]
    assert len(own) == len(set(own)) == 21
