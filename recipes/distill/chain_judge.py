"""Section 2.3.2: a model that reasons before it judges, at work: the chain is written, then both verdicts are weighed.

The verdict is not read from the text that was written but compared behind it, so that every pair gets one, with its
probability; a chain that did not come to a verdict by itself is marked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from recipes.distill.chain_rows import BEFORE_VERDICT, ChainEncoder
from recipes.running.recipe_loading import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

JUDGE_FILE = "judge.json"


@dataclass(frozen=True)
class Judgement:
    """What the model makes of a pair.

    Attributes:
        probability: of true, against false.
        chain: what it wrote before.
        is_finished: whether the chain came to its verdict by itself, within the limit of tokens.
    """

    probability: float
    chain: str
    is_finished: bool


@dataclass(frozen=True)
class JudgeSettings:
    """What belongs to a trained judge besides its weights.

    Attributes:
        prompt: what is asked, with the columns behind dollar signs.
        prompt_columns: those columns.
        max_new_tokens: of a chain.
        threshold: a probability from here on is true.
        max_context: tokens of prompt and answer together.
    """

    prompt: str
    prompt_columns: list[str]
    max_new_tokens: int
    threshold: float
    max_context: int

    def save(self, folder: Path) -> None:
        """Write them into a model's folder."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        (folder / JUDGE_FILE).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> JudgeSettings:
        """Read them from a model's folder.

        Raises:
            RecipeError: it is no folder of such a judge.
        """
        try:
            return cls(**json.loads((folder / JUDGE_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise RecipeError(
                f"{folder} is no judge that reasons: {JUDGE_FILE} cannot be read ({error}). "
                "`python -m recipes.distill` with task: chain makes one."
            ) from None


class ChainJudge:
    """Asks a model for chains and verdicts.

    Args:
        model: causal, in evaluation mode.
        tokenizer: of the model.
        max_new_tokens: of a chain.
        max_context: tokens of prompt and answer together.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_new_tokens: int, max_context: int
    ) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.encoder = ChainEncoder(tokenizer)
        self.max_new_tokens = max_new_tokens
        self.max_prompt = self.encoder.room_for_prompt(max_context, max_new_tokens)

    def judge(self, prompts: Sequence[Sequence[int]], batch_size: int = 16) -> list[Judgement]:
        """Return a judgement of each prompt, in their order.

        Args:
            prompts: ids, as `ChainEncoder.prompt` gives them, of at most `max_prompt` tokens.
            batch_size: prompts at once; those of like length go together.
        """
        order = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
        found: dict[int, Judgement] = {}
        for at in range(0, len(order), batch_size):
            numbers = order[at : at + batch_size]
            batch = [list(prompts[number]) for number in numbers]
            found |= dict(zip(numbers, self._judge_batch(batch), strict=True))
        return [found[number] for number in range(len(prompts))]

    def _judge_batch(self, prompts: list[list[int]]) -> list[Judgement]:
        chains, finished = [], []
        for ids in self._generate(prompts, self.max_new_tokens).sequences.tolist():
            chain, before, _ = self._text(ids).partition(BEFORE_VERDICT.strip("\n"))
            chains.append(chain.strip())
            finished.append(bool(before))
        behind = [[*prompt, *self.encoder.chain(chain)] for prompt, chain in zip(prompts, chains, strict=True)]
        probabilities = self._probabilities(behind)
        return [Judgement(*values) for values in zip(probabilities, chains, finished, strict=True)]

    def _probabilities(self, rows: list[list[int]]) -> list[float]:
        """Return how likely true is behind each row, against false, by the first token in which the two differ."""
        shared, true_id, false_id = self.encoder.telling_tokens()
        logits = self._generate([[*row, *shared] for row in rows], 1).logits[0].float()
        return [float(value) for value in (logits[:, true_id] - logits[:, false_id]).sigmoid()]

    def _generate(self, rows: list[list[int]], max_new_tokens: int) -> Any:
        """Return what transformers' greedy decoding gives; `sequences` are the new tokens alone."""
        import torch

        pad, device = self.encoder.end_id, self.model.device
        longest = max(map(len, rows))
        ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows], device=device)
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device)
        with torch.inference_mode():
            made = cast(Any, self.model).generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                eos_token_id=pad,
                pad_token_id=pad,
                return_dict_in_generate=True,
                output_logits=max_new_tokens == 1,
            )
        made.sequences = made.sequences[:, longest:]
        return made

    def _text(self, ids: list[int]) -> str:
        end = ids.index(self.encoder.end_id) if self.encoder.end_id in ids else len(ids)
        return str(self.tokenizer.decode(ids[:end], clean_up_tokenization_spaces=False))
