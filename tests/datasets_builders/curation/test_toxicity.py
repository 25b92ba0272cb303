"""Toxic words and a toxicity model: on comments and strings alone, with real lists and a real fastText model."""

import gzip
import json
import pickle
import re

import pytest

from datasets_builders.building.errors import ConfigError
from datasets_builders.curation.quality.fasttext_process import train_in_process
from datasets_builders.curation.quality.quality_model import load_fasttext
from datasets_builders.curation.sanitization.toxicity import (
    Toxicity,
    ToxicityLimits,
    ToxicityModel,
    ToxicWords,
    read_word_lists,
)
from datasets_builders.curation.syntax.metrics import measure_with_prose
from datasets_builders.curation.syntax.prose import PROSE
from datasets_builders.languages.grammars import GRAMMARS
from datasets_builders.repositories.builder import RepositoriesBuilder
from datasets_builders.repositories.config import RepositoriesConfig
from datasets_builders.repositories.imports import metrics_imports_and_prose
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig

pytestmark = pytest.mark.slow

# language: (text, the words of each piece)
PIECES = {
    "Python": (
        '"""Doc."""\nimport kill\nx = f"say {kill} now" + b"raw"  # note\n',
        ["Doc", "say now", "raw", "note"],
    ),
    "JavaScript": ("import a from 'kill';\nf(`say ${kill} now`, 'single'); // note\n", ["say now", "single", "note"]),
    "TypeScript": ("const a: string = `say ${kill} now`; /* note */\n", ["say now", "note"]),
    "TSX": ('const F = () => <p title="said">{kill}</p>; // note\n', ["said", "note"]),
    "Java": ('// one two\nclass A { String kill = "said\\nmore"; }\n', ["one two", "said more"]),
    "C": ('#include "kill.h"\nchar *kill = "said"; /* note */\n', ["said", "note"]),
    "C++": ('auto kill = R"(raw)"; // note\n', ["raw", "note"]),
    "C#": ('class A { string kill = $"say {kill} now", b = @"as is"; } // note\n', ["say now", "as is", "note"]),
    "Go": ('package a\n\nimport "kill"\n\nvar kill, b = "said", `raw` // note\n', ["said", "raw", "note"]),
    "Rust": ('fn kill() { let a = "said"; let b = r#"raw"#; } // note\n', ["said", "raw", "note"]),
    "Ruby": ("# note\nkill = \"say #{kill} now\" + 'raw'\n", ["note", "say now", "raw"]),
    "PHP": ("<?php // note\n$kill = \"say $kill now\" . 'raw';\n", ["note", "say", "now", "raw"]),
    "Shell": ("# note\nkill $pid \"say $kill now\" 'raw'\n", ["note", "say now", "raw"]),
    "Lua": ("-- note\nkill = 'said' .. [[long]]\n", ["note", "said", "long"]),
    "Kotlin": ('// note\nval kill = "say $kill ${kill} now"\n', ["note", "say now"]),
    "Scala": ('// note\nval kill = s"say ${kill} now" + "plain"\n', ["note", "say now", "plain"]),
    "Dart": ("import 'kill.dart';\nvar kill = 'say ${kill} now'; // note\n", ["say now", "note"]),
    "Swift": ('/* note */\nlet kill = "say \\(kill) now" + #"raw"#\n', ["note", "say now", "raw"]),
}


@pytest.mark.parametrize("language", PIECES)
def test_comments_and_strings_are_found_without_the_code_in_them(language):
    text, expected = PIECES[language]
    answer = measure_with_prose(language, text)
    assert answer["error_fraction"] == 0
    # Of single letters are the prefixes of strings.
    assert [" ".join(re.findall("[A-Za-z]{2,}", piece)) for piece in answer[PROSE]] == expected
    assert "kill" not in " ".join(answer[PROSE])
    assert metrics_imports_and_prose(language, text)[PROSE] == answer[PROSE]


def test_every_grammar_has_its_strings():
    assert set(GRAMMARS) == set(PIECES)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("Kill them all", (1, 1, 3)),
        ("KILL, kill; k\uff49ll", (3, 3, 3)),
        ("killer overkill kill_all skill", (0, 0, 4)),
        ("go\nto   hell, hell", (2, 4, 4)),
        ("stra\u00dfe STRASSE", (2, 2, 2)),
        ("\u4f60\u662f\u50bb\u5b50\u5417", (1, 2, 5)),
        ("", (0, 0, 0)),
    ],
)
def test_words_are_whole_and_without_case_and_the_longest_phrase_counts(text, counts):
    assert ToxicWords(["kill", "hell", "go to hell", "strasse", "\u50bb\u5b50"]).count(text) == counts


def test_lists_hold_a_word_per_line_and_comments(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("# mine\nKill\n\n  go   to hell # rude\nkill\n")
    assert read_word_lists([path]) == ["kill", "go to hell"]
    for content, message in ((None, "cannot be read"), (b"\xff\xfe", "cannot be read"), (b"# none\n- \n", "no word")):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError, match=message):
            read_word_lists([path])


QUOTED = 'def kill(slave, abort):\n    """Return what kill makes of it."""\n    return slave.kill(abort)\n'
RUDE = "# you idiot, you idiot\ndef f(x):\n    return 'idiot ' + x\n"
LARGE = "".join(
    f"def f{n}(value):\n    # adds {n} to a value that is given here\n    return value + {n}\n" for n in range(40)
)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "project"
    path.mkdir()
    (path / "identifiers.py").write_text(QUOTED)
    (path / "rude.py").write_text(RUDE)
    (path / "large.py").write_text(LARGE + "# idiot idiot idiot\n")
    (path / "kill.pl").write_text("kill 9, $slave; # idiot idiot idiot\nkill 15, $slave;\nkill 1, $slave;\n")
    (path / "words.lst").write_text("idiot\nkill\nslave\nabort\n")
    return path


def removed_by(result):
    step = result.ledger.step("toxicity")
    return {reason: sorted(paths) for reason, paths in step.examples.items()}


def build(folder, tmp_path, **fields):
    fields = {"output_dir": str(tmp_path / "out"), "input_dir": str(folder), "decontaminate": [], **fields}
    return SourceCodeBuilder(SourceCodeConfig(**fields)).run()


def test_identifiers_and_single_words_do_not_count_unless_configured(folder, tmp_path):
    words = {"toxicity_words": [str(folder / "words.lst")]}
    assert removed_by(build(folder, tmp_path, **words)) == {"toxic_words": ["rude.py"]}
    with gzip.open(next((tmp_path / "out/removed/toxicity").iterdir()), "rt") as lines:
        line = json.loads(next(lines))
    assert line["detail"] == "3 of 5 words" and PROSE not in line["metadata"]
    strict = words | {"toxicity_limits": {"fraction": 0, "hits": 1}}
    assert removed_by(build(folder, tmp_path, **strict)) == {"toxic_words": ["identifiers.py", "large.py", "rude.py"]}


def test_prose_is_judged_whole_and_code_without_a_grammar_not_at_all(folder, tmp_path):
    (folder / "notes.md").write_text("You idiot.\n\nWhat an idiot, idiot.\n")
    fields = {"toxicity_words": [str(folder / "words.lst")], "language_types": ["programming", "prose"]}
    assert removed_by(build(folder, tmp_path, **fields)) == {"toxic_words": ["notes.md", "rude.py"]}


def test_the_lists_are_part_of_what_was_built(folder, tmp_path):
    words = {"toxicity_words": [str(folder / "words.lst")], "exclude": ["*.lst"]}
    assert build(folder, tmp_path, **words).state == "new"
    assert build(folder, tmp_path, **words).state == "finished"
    (folder / "words.lst").write_text("nothing\n")
    result = build(folder, tmp_path, **words)
    assert result.state.startswith("changed") and removed_by(result) == {}


# Where a fastText file says what kind of model it holds, and word vectors' kind.
MODEL_KIND, SKIPGRAM = 36, b"\2\0\0\0"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    lines = ["__label__toxic you are an idiot\n__label__clean returns the sum of values\n"] * 200
    (folder / "train.txt").write_text("".join(lines))
    options = {"dim": 8, "bucket": 100, "minCount": 1, "verbose": 0, "thread": 1, "epoch": 30, "lr": 0.5}
    train_in_process(folder / "train.txt", folder / "good.bin", **options)
    raw = bytearray((folder / "good.bin").read_bytes())
    raw[MODEL_KIND : MODEL_KIND + 4] = SKIPGRAM
    (folder / "vectors.bin").write_bytes(raw)
    (folder / "text.bin").write_text("no model")
    return folder


def test_a_model_judges_comments_and_strings(folder, tmp_path, models):
    model = {"toxicity_model": str(models / "good.bin"), "toxicity_labels": ["toxic"], "toxicity_limits": {"hits": 1}}
    (folder / "insult.py").write_text("# you are an idiot\ndef idiot(are, you):\n    return you  # returns the sum\n")
    (folder / "names.py").write_text("# returns the sum of values\ndef you_are_an_idiot(idiot):\n    return idiot\n")
    (folder / "short.py").write_text("# idiot\nx = 1\n# returns the sum of values\ny = x + 1\n")
    found = removed_by(build(folder, tmp_path, **model))
    assert "insult.py" in found["toxic_model"] and not {"names.py", "short.py"} & set(found["toxic_model"])


def test_models_with_the_labels_of_dolmas_are_read_as_dolma_reads_them(tmp_path):
    """Two labels to a model, `toxic` and `non-toxic` or `nsfw` and `non-nsfw`, of words and pairs of words."""
    rude, neutral = "you are such an idiot", "returns the sum of both values"
    for label in ("toxic", "nsfw"):
        lines = f"__label__{label} {rude}\n__label__non-{label} {neutral}\n" * 200
        (tmp_path / "train.txt").write_text(lines)
        options = {"dim": 8, "bucket": 100, "minCount": 1, "verbose": 0, "thread": 1, "epoch": 5, "lr": 0.1}
        path = tmp_path / f"jigsaw_fasttext_bigrams_{label}.bin"
        train_in_process(tmp_path / "train.txt", path, wordNgrams=2, **options)
        pieces = [rude, f"{rude}\n", neutral, "an idiot returns values", ""]
        model = load_fasttext(path, "toxicity_model")
        expected = []
        for piece in pieces:
            labels, scores = model.predict(piece.replace("\n", " ").strip(), k=-1)
            expected.append(float(scores[int("non" in labels[0])]))
        assert ToxicityModel(path, [label]).probabilities(pieces) == pytest.approx(expected, abs=1e-6)
        assert expected[0] > 0.6 and expected[2] < 0.4
        project = tmp_path / label
        project.mkdir()
        (project / "insult.py").write_text(f"# {rude}\nx = 1\n# {neutral}\ny = 2\n")
        (project / "plain.py").write_text(f"# {neutral}\nz = 3\n")
        # Dolma's own limit, and one that is not reached.
        for probability, removed in ((0.4, {"toxic_model": ["insult.py"]}), (expected[0] + 1e-3, {})):
            limits = {"hits": 1, "probability": probability}
            model = {"toxicity_model": str(path), "toxicity_labels": [label], "toxicity_limits": limits}
            assert removed_by(build(project, tmp_path, **model)) == removed


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"toxicity_model": "vectors.bin", "toxicity_labels": ["toxic"]}, "holds word vectors and is no classifier"),
        ({"toxicity_model": "text.bin", "toxicity_labels": ["toxic"]}, "is no fastText model"),
        ({"toxicity_model": "none.bin", "toxicity_labels": ["toxic"]}, "cannot be read"),
        ({"toxicity_model": "good.bin", "toxicity_labels": ["hate"]}, "has no label 'hate'; it has clean, toxic"),
        ({"toxicity_model": "good.bin"}, "belong together"),
        ({"toxicity_words": ["none.txt"]}, "cannot be read"),
        ({"toxicity_limits": {"hits": 0}}, "must be at least 1"),
        ({"toxicity_limits": {"fraction": 2}}, r"must be in \[0, 1\]"),
        ({"toxicity_limits": {"share": 1}}, "unknown 'share'; known: hits, fraction, probability"),
    ],
)
def test_what_cannot_be_used_stops_before_anything_is_read(folder, tmp_path, models, monkeypatch, fields, message):
    monkeypatch.chdir(models)
    with pytest.raises(ConfigError, match=message):
        build(folder, tmp_path, **fields)
    assert not (tmp_path / "out").exists()


def test_repositories_judge_code_and_documentation(tmp_path):
    shop = tmp_path / "shop"
    shop.mkdir()
    for name in ("a", "b", "c"):
        (shop / f"{name}.py").write_text(f"from . import a\n\n\ndef {name}(value):\n    return [value, '{name}']\n")
    (shop / "rude.py").write_text("from . import a\n" + RUDE)
    (shop / "README.md").write_text("# Shop\n\nFor every idiot, idiot, idiot of this town.\n")
    (tmp_path / "words.txt").write_text("idiot\n")
    config = RepositoriesConfig(
        output_dir=str(tmp_path / "out"),
        sources=[str(shop)],
        decontaminate=[],
        toxicity_words=[str(tmp_path / "words.txt")],
    )
    assert removed_by(RepositoriesBuilder(config).run()) == {"toxic_words": ["README.md", "rude.py"]}


def test_a_step_travels_to_its_worker_without_automaton_and_model(tmp_path, models):
    (tmp_path / "words.txt").write_text("idiot\n")
    step = Toxicity([tmp_path / "words.txt"], models / "good.bin", ["toxic"], ToxicityLimits())
    step.begin(0, 1)
    step.end()
    assert pickle.loads(pickle.dumps(step)).words == ["idiot"]
