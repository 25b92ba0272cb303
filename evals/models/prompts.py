"""Section 4.1: prompts as a model was trained to read them: one beginning-of-sequence token at most, no end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import TemplateError
from lighteval.tasks.prompt_manager import PromptManager
from lighteval.tasks.requests import Doc
from tokenizers.processors import TemplateProcessing

from evals.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PROBE = "x"
# Where a message that is to be continued is cut. Letters: a template that strips a message leaves its end alone then.
CUT = "CONTINUEDHERE"


class PromptWriter(PromptManager):
    """lighteval's prompts, with the beginning-of-sequence token written once where template or tokenizer writes it.

    Llama's, Gemma's, Mistral's and DeepSeek's chat templates write it, and their tokenizers add it again: a start that
    no model has seen in training, and that costs points on every benchmark.

    Args:
        tokenizer: of the model; it is kept from adding an end to a prompt.
        chat: put each prompt into the tokenizer's chat template.
        system_prompt: what stands before it there.

    `prefill` is how the model's message begins already: it continues it, instead of beginning one.

    Raises:
        UsageError: there is no chat template, or it takes no system prompt.
    """

    prefill = ""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, chat: bool, system_prompt: str | None = None) -> None:
        super().__init__(use_chat_template=chat, tokenizer=tokenizer, system_prompt=system_prompt)
        if chat and not tokenizer.chat_template:
            raise UsageError("the model's tokenizer has no chat template; --base asks without one")
        own = tokenizer(PROBE)["input_ids"]
        self.tokenizer_adds_bos = tokenizer.bos_token_id is not None and own[:1] == [tokenizer.bos_token_id]
        self.template_writes_bos = False
        if chat:
            try:
                text = super().prepare_prompt(Doc(query=PROBE, choices=[""], gold_index=0))
            except TemplateError as error:
                raise UsageError(f"the model's chat template cannot write a prompt: {error}") from error
            written = tokenizer(text, add_special_tokens=False)["input_ids"]
            self.template_writes_bos = tokenizer.bos_token_id is not None and tokenizer.bos_token_id in written
        if len(own) > 1 and own[-1] == tokenizer.eos_token_id:
            add_no_end(tokenizer, self.tokenizer_adds_bos)

    @property
    def add_special_tokens(self) -> bool:
        """Whether the tokenizer shall add its own to a prompt: a template that starts the text has written them all."""
        return not self.template_writes_bos

    def prepare_prompt(self, doc: Doc) -> str:
        """Return the text that the tokenizer is given."""
        text: str = self._continued(doc) if self.prefill else super().prepare_prompt(doc)
        bos = self.tokenizer.bos_token
        if not bos or not text.startswith(bos):
            return text
        while text.startswith(bos):
            text = text.removeprefix(bos)
        return text if self.add_special_tokens and self.tokenizer_adds_bos else bos + text

    def _continued(self, doc: Doc) -> str:
        """Return the chat up to where the model's message, which begins with the prefill, has to go on.

        Raises:
            UsageError: the template drops or changes the beginning of the model's message.
        """
        messages = [*self.prepare_prompt_api(doc), {"role": "assistant", "content": self.prefill + CUT}]
        try:
            text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
        except TemplateError as error:
            raise UsageError(f"the model's chat template takes no --prefill: {error}") from error
        before, cut, _ = text.rpartition(CUT)
        if not cut or not before.endswith(self.prefill):
            raise UsageError(
                f"the model's chat template changes how an answer begins: --prefill {self.prefill!r} would not stand "
                "there as it is"
            )
        return before


def add_no_end(tokenizer: PreTrainedTokenizerBase, adds_bos: bool) -> None:
    """Keep a tokenizer that was saved for training from ending every prompt, after which a model has nothing to say."""
    if tokenizer.is_fast:
        bos, number = tokenizer.bos_token, tokenizer.bos_token_id
        processor = TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, number)]) if adds_bos else None
        tokenizer.backend_tokenizer.post_processor = processor or TemplateProcessing(single="$A", special_tokens=[])
    else:
        tokenizer.add_eos_token = False
