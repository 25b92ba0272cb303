"""The second route to high quality: small real models score files as their own libraries do, whatever the batch."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from datatrove.data import Document

from datasets_builders.building.config import load_config
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.errors import BuildError, ConfigError
from datasets_builders.curation.quality.agreement import columns_of_scores
from datasets_builders.curation.quality.model_scores import ModelScores
from datasets_builders.curation.quality.scorer_models import load_scorer
from datasets_builders.curation.quality.scorers import (
    KINDS,
    Scorer,
    device_kind,
    read_scorers,
    scorers_fingerprint,
)
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig
from tests.small_bert import save_bert

ROOT = Path(__file__).parents[3]
TEXTS = [
    "def add(first, second):\n    return first + second\n",
    "x = 1\n",
    "# a comment with <|endoftext|> and <role>HUMAN</role> and [SEP] in it\nvalue = 'naïve'\n" * 3,
    "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n        pass\n" * 40,
]


@pytest.fixture(scope="module")
def causal(tmp_path_factory):
    """A tiny Ling with random weights, as it is exported for the Hub."""
    from modeling_ling import BailingMoeConfig, BailingMoeForCausalLM
    from modeling_ling.export import export_model
    from modeling_ling.tokenizer import train_tokenizer

    tokenizer = train_tokenizer([*TEXTS, "yes no\nAnswer yes or no"] * 4, 400)
    torch.manual_seed(0)
    config = BailingMoeConfig(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=32,
        intermediate_size=32,
        moe_intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        num_experts=4,
        num_experts_per_tok=2,
        num_shared_experts=1,
        max_position_embeddings=2048,
    )
    folder = tmp_path_factory.mktemp("causal") / "ling"
    export_model(BailingMoeForCausalLM(config), tokenizer, folder)
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A folder of tiny BERTs with random weights: with a regression head, with two labels, with three."""
    folder = tmp_path_factory.mktemp("bert")
    for name, labels in (("regression", ["grade"]), ("two", ["low", "high"]), ("three", ["a", "b", "c"])):
        save_bert(folder / name, labels, TEXTS)
    return folder


def scored(entry, texts=TEXTS):
    """Return the scores by a scorer of the config's form."""
    (fields,) = read_scorers([entry])
    model = load_scorer(Scorer.found(fields), rank=0)
    try:
        return model.scores(texts)
    finally:
        model.close()


def test_a_classifier_gives_what_transformers_gives_one_file_at_a_time(bert):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    for name, of in (("regression", lambda logits: logits[0]), ("two", lambda logits: logits.softmax(-1)[1])):
        tokenizer = AutoTokenizer.from_pretrained(bert / name)
        model = AutoModelForSequenceClassification.from_pretrained(bert / name).eval()
        found = scored({"kind": "classifier", "model": str(bert / name), "batch_size": 3})
        for text, (score,) in zip(TEXTS, found, strict=True):
            ids = tokenizer(text, truncation=True, split_special_tokens=True, return_tensors="pt")
            with torch.no_grad():
                assert score == pytest.approx(float(of(model(**ids).logits[0])), abs=2e-6)
    low = scored({"kind": "classifier", "model": str(bert / "two"), "label": "low"})
    high = scored({"kind": "classifier", "model": str(bert / "two"), "label": "high"})
    assert [no + yes for (no,), (yes,) in zip(low, high, strict=True)] == pytest.approx([1] * 4, abs=3e-6)


def test_perplexity_is_the_loss_of_the_first_tokens_per_token_and_per_byte(causal):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(causal)
    model = AutoModelForCausalLM.from_pretrained(causal, dtype=torch.float32).eval()
    found = scored({"kind": "perplexity", "model": str(causal), "max_tokens": 101, "batch_size": 4})
    for text, (per_byte, per_token) in zip(TEXTS, found, strict=True):
        ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"][:100]
        assert not set(ids) & set(tokenizer.all_special_ids), "a file cannot end a document"
        start = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        row = torch.tensor([[start, *ids]])
        with torch.no_grad():
            loss = float(torch.nn.functional.cross_entropy(model(row).logits[0, :-1], row[0, 1:]))
        assert per_token == pytest.approx(loss, abs=2e-5)
        num_bytes = len(tokenizer.decode(ids).encode())
        assert per_byte == pytest.approx(loss * len(ids) / num_bytes, abs=2e-5)


def test_ask_llm_is_the_probability_that_the_answer_starts_with_yes(causal, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    (tmp_path / "prompt.txt").write_text("Is this code any good?\n$content\nyes or no?\n")
    tokenizer = AutoTokenizer.from_pretrained(causal)
    model = AutoModelForCausalLM.from_pretrained(causal, dtype=torch.float32).eval()

    def ids_of(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    first = {ids_of(word)[0] for word in ("yes", "Yes", "YES", " yes", " Yes")}
    first -= {ids_of(word)[0] for word in ("no", "No", "NO", " no", " No")}
    entry = {"kind": "ask_llm", "model": str(causal), "prompt": str(tmp_path / "prompt.txt"), "max_tokens": 200}
    for chat in (True, False):
        found = scored(entry | {"chat": chat, "batch_size": 2}, TEXTS[:2])
        for text, (score,) in zip(TEXTS[:2], found, strict=True):
            prompt = f"Is this code any good?\n{text}\nyes or no?"
            if chat:
                messages = [{"role": "user", "content": prompt}]
                prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            elif tokenizer.bos_token:
                prompt = tokenizer.bos_token + prompt
            # Tokens could join prompt and file at the seams: the parts are tokenised one by one.
            before, after = prompt.split(text)
            ids = ids_of(before) + ids_of(text) + ids_of(after)
            with torch.no_grad():
                chances = model(torch.tensor([ids])).logits[0, -1].softmax(-1)
            assert score == pytest.approx(float(chances[sorted(first)].sum()), abs=2e-6)
    assert scored(entry) == scored(entry | {"chat": True}), "a model with a template is asked in it"


def test_scores_do_not_depend_on_what_else_is_in_the_batch(causal, bert):
    for entry in (
        {"kind": "classifier", "model": str(bert / "regression")},
        {"kind": "perplexity", "model": str(causal), "max_tokens": 64},
        {"kind": "ask_llm", "model": str(causal), "max_tokens": 64},
    ):
        together = scored(entry | {"batch_size": 4})
        alone = [score for text in TEXTS for score in scored(entry | {"batch_size": 1}, [text])]
        for in_batch, by_itself in zip(together, alone, strict=True):
            assert in_batch == pytest.approx(by_itself, abs=3e-6)


def test_what_cannot_be_scored_has_no_score_and_surrogates_are_text(causal):
    entry = {"kind": "perplexity", "model": str(causal)}
    (nothing, odd) = scored(entry, ["", "a = '\ud800'\n"])
    assert nothing == [None, None] and all(value > 0 for value in odd)


def test_a_classifier_gives_files_without_tokens_no_score(tmp_path):
    from transformers import GPT2Config, GPT2ForSequenceClassification

    from modeling_ling.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(TEXTS * 4, 320)
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=64, n_embd=16, n_layer=1, n_head=1, num_labels=1)
    GPT2ForSequenceClassification(config).save_pretrained(tmp_path)
    entry = {"kind": "classifier", "model": str(tmp_path)}
    assert scored(entry, ["", ""]) == [[None], [None]]
    (before, nothing, after) = scored(entry, [TEXTS[0], "", TEXTS[1]])
    assert nothing == [None] and [before, after] == scored(entry, TEXTS[:2]) and isinstance(before[0], float)


def test_the_kind_of_device_is_fixed_when_the_build_begins(causal, bert):
    here = device_kind()
    elsewhere = {"cpu": "cuda", "cuda": "cpu"}[here]
    entry = {"kind": "perplexity", "model": str(causal)}
    (fields,) = read_scorers([entry])
    scorer = Scorer.found(fields)
    assert scorer.device == here and scorers_fingerprint([scorer])["models"][0][1] == here
    with pytest.raises(BuildError, match=f"fixed {elsewhere}, but this machine .* {here}, where scores would differ"):
        load_scorer(replace(scorer, device=elsewhere), rank=0)
    on_cuda = Scorer.found(read_scorers([entry | {"device": "cuda"}])[0])
    assert (on_cuda.device, on_cuda.dtype) == ("cuda", "bfloat16"), "whatever the machine has that starts the build"
    on_cpu = Scorer.found(read_scorers([entry | {"device": "cpu"}])[0])
    assert (on_cpu.device, on_cpu.dtype) == ("cpu", "float32")
    on_cpu.check_device()


def test_a_step_writes_columns_and_leaves_torch_as_it_was(bert):
    (fields,) = read_scorers([{"kind": "classifier", "model": str(bert / "regression"), "column": "score_edu"}])
    step, threads = ModelScores(Scorer.found(fields)), torch.get_num_threads()
    step.begin(0, 1)
    docs = [Document(text=text, id=str(number)) for number, text in enumerate(TEXTS)]
    answers = step.process_batch(docs)
    step.end()
    assert [[doc] for doc in docs] == answers and all(isinstance(doc.metadata["score_edu"], float) for doc in docs)
    assert torch.get_num_threads() == threads and step._model is None and step.name == "scores_edu"


def folder_of(tmp_path):
    source = tmp_path / "project"
    source.mkdir()
    for number in range(12):
        body = "".join(f"    value_{line} = first + {line * number}\n" for line in range(1 + number))
        (source / f"file_{number}.py").write_text(f"def function_{number}(first):\n{body}    return first\n")
    return source


@pytest.mark.slow
def test_a_builder_scores_limits_and_gives_the_same_bytes_for_any_number_of_workers(causal, bert, tmp_path):
    source = folder_of(tmp_path)
    scorers = [{"kind": "perplexity", "model": str(causal)}, {"kind": "classifier", "model": str(bert / "regression")}]
    fields = {"input_dir": str(source), "decontaminate": [], "num_tasks": 2, "near_dedup_threshold": 1.0}
    SourceCodeBuilder(SourceCodeConfig(output_dir=str(tmp_path / "1"), scorers=scorers, **fields)).run()
    words = [f"{name}={json.dumps(value)}" for name, value in (fields | {"scorers": scorers}).items()]
    done = subprocess.run(
        [sys.executable, "-m", "datasets_builders", "source_code", *words, f"output_dir={tmp_path / '2'}", "workers=2"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    single, double = ((tmp_path / workers / "data/train_00000_of_00001.parquet").read_bytes() for workers in "12")
    assert single == double
    rows = pq.read_table(tmp_path / "1" / "data").to_pylist()
    assert len(rows) == 12 and all(row["score_loss_per_byte"] > 0 for row in rows)
    assert "perplexity by ling" in (tmp_path / "1" / "README.md").read_text()

    scores = sorted(row["score_classifier"] for row in rows)
    below = {limit: sum(score < limit for score in scores) for limit in scores}  # some are equal
    limit, num_below = next((limit, number) for limit, number in below.items() if number > 3)
    limits = {"score_classifier": [limit, 9.0], "num_lines": [3, 100]}
    config = SourceCodeConfig(
        output_dir=str(tmp_path / "limited"), scorers=scorers[1:], quality_limits=limits, **fields
    )
    ledger = SourceCodeBuilder(config).run().ledger
    assert ledger.step("score_limits").reasons == {"low_score_classifier": num_below}


def test_repositories_carry_the_means_of_their_files(bert, tmp_path):
    from datasets_builders.repositories.builder import RepositoriesBuilder
    from datasets_builders.repositories.config import RepositoriesConfig

    source = folder_of(tmp_path)
    (source / "main.py").write_text("import file_1\nimport file_2\n\nprint(file_1.function_1(2), file_2)\n")
    (source / "README.md").write_text(
        "# Functions\n\nA small project of functions that add numbers to their argument.\n"
    )
    config = RepositoriesConfig(
        output_dir=str(tmp_path / "out"),
        input_dir=str(source),
        decontaminate=[],
        scorers=[{"kind": "classifier", "model": str(bert / "regression"), "column": "score_edu"}],
        quality_limits={"mean_score_edu": [-100.0, 100.0]},
    )
    RepositoriesBuilder(config).run()
    (row,) = pq.read_table(tmp_path / "out" / "data").to_pylist()
    assert row["mean_score_edu"] is not None and row["mean_quality"] is None
    assert columns_of_scores(DatasetFolder(tmp_path / "out")) == {
        "mean_quality": [None],
        "mean_score_edu": [row["mean_score_edu"]],
    }


def test_another_model_or_prompt_is_another_input(bert, causal, tmp_path):
    def fingerprint(entry):
        return scorers_fingerprint([Scorer.found(fields) for fields in read_scorers([entry])])

    prompts = tmp_path / "prompt.txt"
    prompts.write_text("Good? $content")
    ask = {"kind": "ask_llm", "model": str(causal), "prompt": str(prompts)}
    first = fingerprint(ask)
    prompts.write_text("Useful? $content")
    assert fingerprint(ask) != first
    by_model = [fingerprint({"kind": "classifier", "model": str(bert / name)}) for name in ("regression", "two")]
    assert by_model[0]["models"] != by_model[1]["models"]
    other = fingerprint({"kind": "classifier", "model": str(bert / "two"), "device": "cuda"})
    assert other["models"][0][1] == "cuda"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"kind": "bert", "model": "m"}, "kind is 'bert'; known: classifier, perplexity, ask_llm, quality_model"),
        ({"kind": "classifier"}, "no model"),
        ({"kind": "classifier", "model": "m", "colum": "x"}, "unknown field 'colum'.*did you mean 'column'"),
        ({"kind": "classifier", "model": "m", "column": "quality"}, "must be score_ and"),
        ({"kind": "classifier", "model": "m", "chat": False}, "chat is of ask_llm, not of classifier"),
        ({"kind": "perplexity", "model": "m", "max_tokens": 1}, "max_tokens must be at least 2"),
        ({"kind": "perplexity", "model": "m", "dtype": "int8"}, "dtype is 'int8'; known: float32"),
        ({"kind": "perplexity", "model": "m", "device": "gpu"}, "device is 'gpu'; known: cpu, cuda"),
        ({"kind": "perplexity", "model": "m", "batch_size": "4"}, "must be int"),
    ],
)
def test_wrong_fields_stop_before_anything_is_looked_at(entry, message):
    with pytest.raises(ConfigError, match=message):
        SourceCodeConfig(output_dir="x", scorers=[entry])


def test_the_readmes_example_is_a_config(tmp_path):
    readme = (ROOT / "datasets_builders" / "curation" / "README.md").read_text()
    path = tmp_path / "scored.yaml"
    blocks = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    path.write_text("output_dir: x\n" + next(block for block in blocks if "scorers:" in block))
    config = load_config(SourceCodeConfig, path)
    assert {entry["kind"] for entry in config.scorers} == set(KINDS)


def test_two_scorers_need_columns_of_their_own_and_limits_know_them():
    entry = {"kind": "perplexity", "model": "m"}
    with pytest.raises(ConfigError, match="column score_loss_per_byte is written by item 0 too; set `column`"):
        SourceCodeConfig(output_dir="x", scorers=[entry, entry])
    with pytest.raises(ConfigError, match=r"unknown column 'score_loss'; known: .*score_loss_per_byte"):
        SourceCodeConfig(output_dir="x", scorers=[entry], quality_limits={"score_loss": [0, 1]})


def test_a_model_of_the_wrong_kind_or_with_missing_files_stops_before_anything_is_read(bert, causal, tmp_path):
    broken = {name: tmp_path / name for name in ("unpickled", "wordless", "headless", "foreign", "nothing")}
    for name, folder in broken.items():
        folder.mkdir()
        for path in (bert / "two").iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        config = json.loads((folder / "config.json").read_text())
        if name == "unpickled":
            (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        elif name == "wordless":
            (folder / "tokenizer.json").unlink()
        elif name == "headless":
            config["architectures"] = ["BertModel"]
        elif name == "foreign":
            config["model_type"] = "made_up"
        else:
            (folder / "config.json").unlink()
            continue
        (folder / "config.json").write_text(json.dumps(config))
    for entry, message in (
        ({"kind": "classifier", "model": str(tmp_path / "absent")}, "has no config.json; name a model's folder"),
        ({"kind": "classifier", "model": str(broken["nothing"])}, "has no config.json"),
        ({"kind": "classifier", "model": str(broken["unpickled"])}, r"has no \*.safetensors; pickled weights"),
        ({"kind": "classifier", "model": str(broken["wordless"])}, "has no tokenizer"),
        ({"kind": "classifier", "model": str(broken["headless"])}, "ForSequenceClassification; .*: BertModel"),
        ({"kind": "classifier", "model": str(broken["foreign"])}, "'made_up'.*trust_remote_code: true"),
        ({"kind": "classifier", "model": str(causal)}, "ForSequenceClassification; .*: BailingMoeForCausalLM"),
        ({"kind": "perplexity", "model": str(bert / "two")}, "ForCausalLM; .*: BertForSequenceClassification"),
        ({"kind": "classifier", "model": str(bert / "two"), "label": "best"}, "no label 'best'; it has low, high"),
        ({"kind": "classifier", "model": str(bert / "three")}, "has 3 labels; name one as `label`: a, b, c"),
        ({"kind": "ask_llm", "model": str(causal), "prompt": str(tmp_path / "none.txt")}, "cannot be read"),
        ({"kind": "classifier", "model": "acme/absent"}, "acme/absent is no folder and cannot be had from the Hub"),
    ):
        config = SourceCodeConfig(output_dir=str(tmp_path / "out"), input_dir=str(bert), scorers=[entry])
        with pytest.raises(ConfigError, match=message):
            SourceCodeBuilder(config).check()
    assert not (tmp_path / "out").exists()


def test_weights_without_a_head_are_refused_when_they_are_loaded(bert, tmp_path):
    from safetensors.torch import load_file, save_file

    for path in (bert / "two").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = {
        name: weight for name, weight in load_file(tmp_path / "model.safetensors").items() if "classifier" not in name
    }
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"lack classifier\.bias"):
        scored({"kind": "classifier", "model": str(tmp_path)})
