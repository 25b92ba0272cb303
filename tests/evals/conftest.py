"""A tiny model, a held-out dataset and problems in HumanEval's schema, all made here."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

PROBLEMS = [
    {
        "task_id": "Fixture/0",
        "prompt": 'def larger(a: int, b: int) -> int:\n    """Return the larger of two numbers.\n    >>> larger(1, 2)\n'
        '    2\n    """\n',
        "canonical_solution": "    return a if a > b else b\n",
        "test": "def check(candidate):\n    assert candidate(1, 2) == 2\n    assert candidate(5, -3) == 5\n",
        "entry_point": "larger",
    },
    {
        "task_id": "Fixture/1",
        "prompt": "def twice(text):\n    return text + text\n\n\ndef four_times(text):\n"
        '    """Repeat a text four times, with the help of twice."""\n',
        "canonical_solution": "    return twice(twice(text))\n",
        "test": "def check(candidate):\n    assert candidate('ab') == 'abababab'\n",
        "entry_point": "four_times",
    },
]


def question(number: int, value: int) -> dict:
    code = f"def f(x):\n    return x + {number}\n"
    return {
        "mid": f"{number:04d}",
        "messages": [
            {"role": "user", "content": f"What does f({value}) return?\n{code}"},
            {"role": "assistant", "content": str(value + number)},
        ],
        "tags": ["execution_prediction"],
        "languages": ["Python"],
        "kind": "execution_prediction",
        "code": code,
        "call": f"f({value})",
        "answer": str(value + number),
    }


@pytest.fixture(scope="session")
def held_out(tmp_path_factory) -> Path:
    """A dataset folder as the sft builder writes it: 12 train, 8 validation rows; 7 is the commonest train answer."""
    folder = tmp_path_factory.mktemp("held_out") / "sft"
    (folder / "data").mkdir(parents=True)
    splits = {
        "train": [question(number, 7 - number if number % 2 else number) for number in range(12)],
        "validation": [question(number, 7 - number if number % 4 == 0 else 1) for number in range(100, 108)],
    }
    for split, rows in splits.items():
        parquet.write_table(pa.Table.from_pylist(rows), folder / "data" / f"{split}_00000_of_00001.parquet")
    return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> tuple[Path, Path]:
    """Two exported models of one tokenizer with different random weights."""
    import torch

    from modeling_ling import BailingMoeConfig, BailingMoeForCausalLM
    from modeling_ling.export import export_model
    from modeling_ling.tokenizer import train_tokenizer

    folder = tmp_path_factory.mktemp("models")
    tokenizer = train_tokenizer(["def f(x):\n    return x + 1\n", "What does f(3) return?"] * 4, 320)
    config = BailingMoeConfig(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=64,
        intermediate_size=64,
        moe_intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        num_experts=4,
        num_experts_per_tok=2,
        num_shared_experts=1,
        norm_head=True,
    )
    for seed in (0, 1):
        torch.manual_seed(seed)
        export_model(BailingMoeForCausalLM(config), tokenizer, folder / f"model{seed}")
    return folder / "model0", folder / "model1"


@pytest.fixture
def problem_file(tmp_path) -> Path:
    """The problems as a JSON Lines file."""
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(json.dumps(problem) + "\n" for problem in PROBLEMS), encoding="utf-8")
    return path
