"""Magpie with a real model behind a real server, which writes the user's message behind the head of a turn."""

from itertools import pairwise
from pathlib import Path

import pytest

from datasets_builders.synthesis.magpie.builder import MagpieBuilder, MagpieConfig
from tests.openai_server import transformers_serve

pytestmark = pytest.mark.slow

USER, ASSISTANT = "<|user|>", "<|assistant|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
INSTRUCTION = (
    "Explain what this function returns when it is given a list.\n\n```python\ndef f(x):\n    return x[0]\n```\n"
)
ANSWER = "It returns the first item of the list that it is given, and fails when the list is empty."


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Llama whose next token hangs on the last one alone: user, instruction, assistant, answer, end."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from modeling_ling.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(["def f(x):\n    return x + 1\n"] * 4, 320)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|system|>", USER, ASSISTANT]})
    tokenizer.add_tokens([INSTRUCTION, ANSWER])
    tokenizer.chat_template = TEMPLATE
    end_id = tokenizer.eos_token_id
    ids = [*tokenizer.convert_tokens_to_ids([USER, INSTRUCTION, ASSISTANT, ANSWER]), end_id]
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
    llama = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), eos_token_id=end_id, bos_token_id=None, **sizes))
    layer = llama.model.layers[0]
    with torch.no_grad():
        for weight in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight, llama.lm_head.weight):
            weight.zero_()
        embedding = llama.model.embed_tokens.weight
        embedding.zero_()
        embedding[:, 15] = 1
        for place, (token, following) in enumerate(pairwise(ids)):
            embedding[token] = torch.eye(16)[place]
            llama.lm_head.weight[following, place] = 20
    folder = tmp_path_factory.mktemp("model") / "llama"
    llama.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_model_writes_the_users_message_and_answers_it(model: Path, tmp_path: Path) -> None:
    with transformers_serve(model, tmp_path) as url:
        config = MagpieConfig(
            output_dir=str(tmp_path / "dataset"),
            teachers=[{"model": str(model), "base_url": url, "max_tokens": 8, "concurrency": 2}],
            steps={"sample_instructions": {"max_tokens": 8}, "answer": {"max_tokens": 8}},
            num_samples=2,
            scenarios={"explanation": 1},
            languages={"Python": 1},
            natural_languages={"en": 1},
            num_tasks=1,
            decontaminate=[],
        )
        result = MagpieBuilder(config).run()
    ledger = {step.name: step for step in result.ledger.steps}
    assert ledger["sample_instructions"].output == 2 and ledger["exact_dedup"].merged == 1
    (row,) = MagpieBuilder(config)._description().rows.rows()
    assert [message["content"] for message in row["messages"]] == [INSTRUCTION.strip(), ANSWER]
