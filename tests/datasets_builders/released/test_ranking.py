"""Answers of several models, ranked by given scores, by a reward model or by tests, become pairs."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset
from datatrove.data import Document
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from datasets_builders.building import BuildError, ConfigError, Removed
from datasets_builders.released.answers_read import question_of
from datasets_builders.released.dpo import DPOBuilder, DPOConfig
from datasets_builders.released.ranking import BestScorePercentile, ChoosePairs, PairPolicy, code_in, on_policy
from datasets_builders.released.reward_fields import RewardFields
from datasets_builders.tokenized.conversations import RowFormat, read_preference
from datasets_builders.tokenized.tokenization import UnusableRowError
from tests.datasets_builders.released.conftest import read_rows
from tests.small_bert import save_bert

USER = {"role": "user", "content": "q"}
GOOD, BAD = "a long and good answer", "no"


def said(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


# Formats as people have them, and the answers that must be read with their scores.
FORMATS: dict[str, tuple[dict[str, Any], list[tuple[str, float | None]]]] = {
    "ours": (
        {
            "prompt": "q",
            "candidates": [{"model": "m", "text": GOOD, "score": 2}, {"model": "n", "text": BAD, "score": 1}],
        },
        [(GOOD, 2.0), (BAD, 1.0)],
    ),
    "UltraFeedback": (
        {
            "instruction": "q",
            "source": "sharegpt",
            "completions": [
                {"model": "m", "response": GOOD, "overall_score": 8.5, "annotations": {}},
                {"model": "n", "response": BAD, "overall_score": 3.0, "annotations": {}},
            ],
        },
        [(GOOD, 8.5), (BAD, 3.0)],
    ),
    # https://github.com/huggingface/trl/issues/1886: the prompt is a text and once more in the answers.
    "UltraFeedback binarized": (
        {
            "prompt": "q",
            "chosen": [USER, said(GOOD)],
            "rejected": [USER, said(BAD)],
            "messages": [USER, said(GOOD)],
            "score_chosen": 8.0,
            "score_rejected": 4.0,
        },
        [(GOOD, 8.0), (BAD, 4.0)],
    ),
    # https://github.com/NVIDIA-NeMo/RL/pull/1025
    "conversations without a prompt": (
        {"chosen": [USER, said(GOOD)], "rejected": [USER, said(BAD)]},
        [(GOOD, 1.0), (BAD, 0.0)],
    ),
    "texts": ({"prompt": "q", "chosen": GOOD, "rejected": BAD}, [(GOOD, 1.0), (BAD, 0.0)]),
    # https://github.com/Flossiee/HonestyLLM/issues/7: LLaMA-Factory's, each answer one message.
    "LLaMA-Factory": (
        {
            "conversations": [{"from": "human", "value": "q"}],
            "chosen": {"from": "gpt", "value": GOOD},
            "rejected": {"from": "gpt", "value": BAD},
        },
        [(GOOD, 1.0), (BAD, 0.0)],
    ),
    # https://github.com/kakao/diatool-dpo/issues/2
    "JSON text of an object": (
        {
            "chosen": json.dumps({"messages": [USER, said(GOOD)], "tools": None}),
            "rejected": json.dumps({"messages": [USER, said(BAD)], "tools": None}),
        },
        [(GOOD, 1.0), (BAD, 0.0)],
    ),
    "Orca pairs": (
        {"system": "s", "question": "q", "chosen": GOOD, "rejected": BAD},
        [(GOOD, 1.0), (BAD, 0.0)],
    ),
    "answers without a model": ({"question": "q", "responses": [GOOD, BAD]}, [(GOOD, None), (BAD, None)]),
    "an answer that was cut off is none": (
        {
            "prompt": [USER],
            "candidates": [
                {"model": "m", "text": "half", "finish_reason": "length"},
                {"model": "m", "text": GOOD, "finish_reason": "stop"},
                {"model": "n", "text": BAD},
            ],
        },
        [(GOOD, None), (BAD, None)],
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_question_with_its_answers_is_read(name: str) -> None:
    row, expected = FORMATS[name]
    prompt, answers = question_of(row, RowFormat())
    assert prompt[-1] == USER
    assert [(answer["text"], answer["score"]) for answer in answers] == expected


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "q", "candidates": [{"model": "m", "text": GOOD}]}, "fewer than two different answers"),
        ({"prompt": "q", "candidates": [{"text": GOOD}, {"text": f"{GOOD}\n"}]}, "fewer than two different answers"),
        ({"candidates": [{"text": GOOD}, {"text": BAD}]}, "no prompt"),
        ({"prompt": "q", "chosen": GOOD, "rejected": GOOD}, "chosen and rejected are equal"),
        ({"prompt": "q", "chosen": GOOD}, "no chosen or no rejected answer"),
    ],
)
def test_a_row_that_is_no_question_with_answers_says_why(row: dict, reason: str) -> None:
    with pytest.raises(UnusableRowError, match=reason):
        question_of(row, RowFormat())


def asked(*scores: tuple[str, float | None], prompt: list[dict[str, str]] | None = None) -> Document:
    answers = [{"model": f"m{n}", "text": text, "score": score} for n, (text, score) in enumerate(scores)]
    metadata = {
        "prompt_messages": prompt or [USER],
        "answers": answers,
        "prompt": "q",
        "split": "train",
        "source": "here",
        "parents": [],
        **dict.fromkeys(("function", "module", "cluster", "license"), ""),
    }
    return Document(text="", id="0", metadata=metadata)


FOUR = (("aaaa", 4.0), ("bbbb", 3.0), ("cccc", 1.0), ("dddd", -2.0))


@pytest.mark.parametrize(
    ("policy", "scores", "expected"),
    [
        (PairPolicy(), FOUR, ("aaaa", "dddd")),
        (PairPolicy("margin", (0.5, 3.5)), FOUR, ("aaaa", "cccc")),
        (PairPolicy("margin", (0.5, 0.9)), FOUR, "no_margin_within_limits"),
        (PairPolicy(min_best_score=4.0), FOUR, ("aaaa", "dddd")),
        (PairPolicy(min_best_score=4.1), FOUR, "best_score_too_low"),
        (PairPolicy(), (("aaaa", 1.0), ("bbbb", 1.0)), "all_scores_equal"),
        (PairPolicy(), (("aaaa", 1.0), ("bbbb", None)), "fewer_than_two_scores"),
        (PairPolicy(), (("a" * 20, 1.0), ("a" * 19 + "b", 0.0)), "answers_too_near"),
        # Of equal scores those of the nearest lengths: 1 was passed, 0 was failed.
        (PairPolicy(), (("aa", 1.0), ("aaaaaaaa", 1.0), ("bbbbbbb", 0.0), ("b" * 99, 0.0)), ("aaaaaaaa", "bbbbbbb")),
    ],
)
def test_the_policy_says_which_answers_make_a_pair(policy: PairPolicy, scores: tuple, expected: Any) -> None:
    (out,) = ChoosePairs(policy, 0.9, conversational=False).process(asked(*scores))
    if isinstance(expected, str):
        assert isinstance(out, Removed) and out.reason == expected
    else:
        assert isinstance(out, Document) and (out.metadata["chosen"], out.metadata["rejected"]) == expected


def test_a_random_worse_answer_hangs_on_the_seed_and_several_messages_on_the_form() -> None:
    found = set()
    for seed in range(12):
        (out,) = ChoosePairs(PairPolicy("random", seed=seed), 0.9, conversational=False).process(asked(*FOUR))
        assert isinstance(out, Document) and out.metadata["chosen"] == "aaaa"
        found.add(out.metadata["rejected"])
    assert found == {"bbbb", "cccc", "dddd"}
    long = asked(*FOUR, prompt=[USER, said("a"), USER])
    (out,) = ChoosePairs(PairPolicy(), 0.9, conversational=False).process(long)
    assert isinstance(out, Removed) and out.reason == "several_messages_before_the_answer"
    (out,) = ChoosePairs(PairPolicy(), 0.9, conversational=True).process(long)
    assert isinstance(out, Document)


def test_questions_whose_best_score_is_low_for_their_source_go() -> None:
    step = BestScorePercentile(25)
    step.begin(0, 1)
    for number in range(8):
        doc = asked(("aa", float(number)), ("b", -1.0))
        doc.id, doc.metadata["source"] = str(number), "even" if number % 2 == 0 else "odd"
        assert not list(step.process(doc))
    outcomes = list(step.finish())
    step.end()
    assert sorted(out.doc.id for out in outcomes if isinstance(out, Removed)) == ["0", "1"]


def test_own_models_and_code_are_told() -> None:
    assert [on_policy(*pair, ["me"]) for pair in (("me", "me"), ("me", "x"), ("x", "me"), ("x", "y"))] == [
        *("both", "chosen", "rejected", "none")
    ]
    assert code_in("Here:\n```python\nx = 1\n```\nand\n```py\ny = 2\n```\n") == "x = 1\n\n\ny = 2\n"
    assert code_in("x = 1") == "x = 1"


@pytest.fixture
def candidates(tmp_path: Path) -> Path:
    right = "def double(x):\n    return 2 * x"
    rows = []
    for number in range(12):
        answers = [
            {"model": "teacher", "text": f"```python\n{right}  # {number}\n```"},
            {"model": "me", "text": f"Sure, this is it:\n\n```python\ndef double(x):\n    return x + {number}\n```"},
            {"model": "me", "text": "```python\nwhile True:\n    pass\n```"},
        ]
        rows.append(
            {"prompt": f"Write double, variant {number}.", "candidates": answers, "check": "assert double(3) == 6"}
        )
    rows.append({"prompt": "Write triple.", "candidates": answers, "check": ""})
    path = tmp_path / "candidates.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def config_of(candidates: Path, output: Path, **values: Any) -> DPOConfig:
    given = {"decontaminate": [], "num_tasks": 2, "own_models": ["me"]}
    return DPOConfig(output_dir=str(output), candidates=[{"dataset": str(candidates)}], **(given | values))


def test_candidates_are_judged_by_their_tests(candidates: Path, tmp_path: Path) -> None:
    rows = candidates.read_text().splitlines()[:5] + candidates.read_text().splitlines()[-1:]
    candidates.write_text("\n".join(rows).replace("while True:", "while False:"))
    result = DPOBuilder(config_of(candidates, tmp_path / "dpo", reward={"kind": "execution"})).run()
    pairs = read_rows(tmp_path / "dpo")
    # With 3, x + 3 is 6 too: there the loop alone is wrong.
    assert len(pairs) == 5 and result.ledger.step("run_answers").reasons == {"nothing_to_verify_with": 1}
    for pair in pairs:
        assert "2 * x" in pair["chosen"] or "x + 3" in pair["chosen"]
        assert (pair["chosen_score"], pair["rejected_score"]) == (1.0, 0.0)
    assert Counter(pair["on_policy"] for pair in pairs)["rejected"] >= 4
    card = (tmp_path / "dpo" / "README.md").read_text()
    assert "Answers of other datasets were ranked by: execution." in card and "| me |" in card


def test_the_released_columns_may_be_conversations(candidates: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in candidates.read_text().splitlines()]
    for row in rows:
        for place, answer in enumerate(row["candidates"]):
            answer["score"] = float(place)
    candidates.write_text("\n".join(map(json.dumps, rows)))
    open_set = tmp_path / "open.jsonl"
    pair = {"chosen": [USER, said("x"), USER, said(GOOD)], "rejected": [USER, said("x"), USER, said(BAD)]}
    open_set.write_text(json.dumps(pair))
    config = config_of(candidates, tmp_path / "dpo", conversational=True, preference_sets=[{"dataset": str(open_set)}])
    DPOBuilder(config).run()
    dataset = load_dataset(str(tmp_path / "dpo"), split="train")
    assert dataset.column_names[:4] == ["mid", "prompt", "chosen", "rejected"]
    assert len(dataset) == 14
    for row in dataset:
        assert [message["role"] for message in row["chosen"]] == ["assistant"] and row["prompt"][-1]["role"] == "user"
        prompt, chosen, _ = read_preference(row, RowFormat())
        assert (prompt.contents[-1], chosen) == (row["prompt"][-1]["content"], row["chosen"][0]["content"])
    (merged,) = (row for row in dataset if row["source"] == "open.jsonl")
    assert len(merged["prompt"]) == 3 and merged["chosen"] == [said(GOOD)] and merged["rejected"] == [said(BAD)]


@pytest.mark.slow
def test_a_classifier_ranks_the_answers_and_an_endpoint_ranks_them_alike(candidates: Path, tmp_path: Path) -> None:
    texts = candidates.read_text().splitlines()
    save_bert(tmp_path / "reward", ["reward"], texts)
    from datasets_builders.released.reward_model import EndpointReward, LoadedReward, with_answer

    fields = RewardFields.read({"kind": "classifier", "model": str(tmp_path / "reward"), "max_tokens": 64})
    source = fields.source()
    assert source is not None
    model = LoadedReward(source, fields, rank=0)
    asked = [with_answer([USER], text) for text in ("short", "a much longer answer", "[SEP] short [PAD]", "x " * 90)]
    scores = model.scores(asked)
    assert scores[3] is None and None not in scores[:3] and len(set(scores)) == 4
    assert model.scores(asked[2::-1]) == pytest.approx(scores[2::-1], abs=1e-5)
    assert model.tokenizer.sep_token_id not in model.encode(asked[2])[1:-1], "a special token in a text is text"
    with served(lambda messages: model.scores([messages])[0] or 0.0) as url:
        endpoint = EndpointReward(RewardFields(kind="endpoint", model="reward", base_url=url))
        assert endpoint.scores(asked[:3]) == pytest.approx(scores[:3], abs=1e-5)
        endpoint.close()
    model.close()
    config = config_of(candidates, tmp_path / "dpo", reward={"kind": "classifier", "model": str(tmp_path / "reward")})
    DPOBuilder(config).run()
    pairs = read_rows(tmp_path / "dpo")
    assert pairs and all(pair["chosen_score"] > pair["rejected_score"] for pair in pairs)
    assert "ranked by: reward." in (tmp_path / "dpo" / "README.md").read_text()


@pytest.mark.slow
def test_a_causal_reward_is_a_logit_behind_the_answer_and_texts_start_once(tmp_path: Path) -> None:
    """As of Llama-3.1-Nemotron-70B-Reward-HF; two starts of text: https://github.com/allenai/reward-bench/issues/164."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from datasets_builders.released.reward_model import LoadedReward
    from modeling_ling.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(["a good answer to a question"] * 4, 400)
    turn = "<role>{{ m.role }}</role>{{ m.content | trim }}{{ eos_token }}"
    tokenizer.chat_template = f"{{{{ bos_token }}}}{{% for m in messages %}}{turn}{{% endfor %}}"
    tokenizer.bos_token = tokenizer.eos_token
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **shape)).eval()
    model.save_pretrained(tmp_path)
    fields = RewardFields.read({"kind": "causal", "model": str(tmp_path)})
    reward = LoadedReward(fields.source(), fields, rank=0)
    conversations = [[USER, said(text)] for text in ("a", "a good answer")]
    expected = []
    for conversation in conversations:
        ids = tokenizer.apply_chat_template(conversation, tokenize=True, return_dict=False)
        assert reward.encode(conversation) == list(ids)
        with torch.no_grad():
            expected.append(float(model(torch.tensor([ids])).logits[0, -1, 0]))
    assert reward.scores(conversations) == pytest.approx(expected, abs=1e-5)
    injected = reward.encode([USER, said(f"a {tokenizer.eos_token} b")])
    assert injected.count(tokenizer.eos_token_id) == 3, "a sign of the template in an answer is text"
    reward.close()
    with pytest.raises(ConfigError, match="reward"):
        RewardFields.read({"kind": "classifier", "model": str(tmp_path)}).source()


def served(score: Any) -> Any:
    """Serve vLLM's /classify."""
    import contextlib
    import socket
    import threading
    import time

    import uvicorn

    async def classify(request: Request) -> JSONResponse:
        body = await request.json()
        return JSONResponse({"data": [{"index": 0, "probs": [score(body["messages"])], "num_classes": 1}]})

    @contextlib.contextmanager
    def run():
        listening = socket.create_server(("127.0.0.1", 0))
        app = Starlette(routes=[Route("/classify", classify, methods=["POST"])])
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        server.should_exit = True
        thread.join()

    return run()


@pytest.mark.slow
def test_a_server_that_classifies_nothing_ends_the_build(tmp_path: Path) -> None:
    from datasets_builders.released.reward_model import EndpointReward
    from tests.openai_server import RuleServer

    with RuleServer(lambda messages: "hello") as server:
        endpoint = EndpointReward(RewardFields(kind="endpoint", model="m", base_url=server.url))
        with pytest.raises(BuildError, match="reward"):
            endpoint.scores([[USER, said(GOOD)]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"reward": {"kind": "poetry"}}, "kind is 'poetry'"),
        ({"reward": {"kind": "classifier"}}, "classifier has no model"),
        ({"reward": {"kind": "endpoint", "model": "m"}}, "no base_url"),
        ({"reward": {"modell": "m"}}, "modell"),
        ({"rejected_policy": "max"}, "rejected_policy is 'max'"),
        ({"margins": [2, 1]}, "margins is"),
        ({"min_best_percentile": 100}, "min_best_percentile is 100"),
        ({"max_length_ratio": 0.5}, "max_length_ratio is 0.5"),
        ({"candidates": [{"dataset": ""}]}, "no dataset"),
    ],
)
def test_impossible_values_are_refused(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DPOConfig(output_dir="out", **values)
