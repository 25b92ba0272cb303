"""How fast data become batches: text encoded, conversations encoded and packed, documents packed, batches read.

    python tests/benchmarks/bench_training.py [--conversations 20000] [--skip-peers]

On the standard library's own sources, in processor time of one process. Peers run in the same process on the same
rows: the tokenizer's own call, and what TRL does to a dataset (the chat template, row by row, then `pack_dataset`).
Memory is that of the process that encodes and packs, over a dataset four times as long.
"""

import argparse
import ast
import json
import os
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from transformers import PreTrainedTokenizerFast

from datasets_builders.tokenized.token_files import write_token_store
from datasets_builders.tokenized.tokenization import encode_document, tokenizer_fingerprint
from modeling_ling.tokenizer import encode_texts, train_tokenizer
from recipes.data.chat_rows import ChatDataset, ChatSettings, open_chat_store
from recipes.data.chat_sources import ChatSource
from recipes.data.collator import collate_windows
from recipes.data.mixture import MixtureDataset, PackedSource
from recipes.data.mixture_ratios import MixtureSource
from recipes.data.packing import pack_documents
from recipes.data.token_store import TokenStore
from recipes.objectives.fim import FimConfig
from recipes.stages.fine_tuning import collate_rows

SEQ_LENGTHS = (512, 4096)
BATCH_ROWS = (4, 16, 32)
BATCHES = 400
# What a GPU trains on in a second at best: Moonlight-16B-A3B on H100s, by Megatron-Bridge's card.
GPU_TOKENS_PER_SECOND = 22_528


def sources() -> list[str]:
    folder = Path(sysconfig.get_path("stdlib"))
    files = [path for path in sorted(folder.glob("**/*.py")) if "site-packages" not in path.parts]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    return [text for text in texts if text.strip()]


def conversations(texts: list[str], number: int) -> Iterator[dict[str, Any]]:
    """Give questions about documented functions, and the functions; again from the front where they do not suffice."""
    found = []
    for text in texts:
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue
        lines = text.splitlines()
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and (about := ast.get_docstring(node)):
                code = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                found.append((node.name, about.splitlines()[0], code))
    for place in range(number):
        name, about, code = found[place % len(found)]
        question = f"Write a Python function `{name}` ({place}): {about}"
        messages = [{"role": "user", "content": question}, {"role": "assistant", "content": code}]
        yield {"mid": str(place), "messages": messages}


class Clock:
    """Prints figures with the processor time that they took."""

    def __enter__(self) -> "Clock":
        self.start = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.process_time() - self.start

    def line(self, what: str, **amounts: int) -> None:
        rates = ", ".join(f"{amount / self.seconds:,.0f} {unit}/s" for unit, amount in amounts.items())
        print(f"{what:58s} {self.seconds:7.2f} s  {rates}", flush=True)


def peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def bench_text(tokenizer: PreTrainedTokenizerFast, texts: list[str], skip_peers: bool) -> None:
    with Clock() as clock:
        ids = encode_texts(tokenizer, texts)
    clock.line("text, words met for the first time", tokens=sum(map(len, ids)), characters=sum(map(len, texts)))
    with Clock() as clock:
        ids = encode_texts(tokenizer, texts)
    clock.line("text, again", tokens=sum(map(len, ids)), characters=sum(map(len, texts)))
    if not skip_peers:
        with Clock() as clock:
            theirs = tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        clock.line("text, the tokenizer's own call", tokens=sum(map(len, theirs)), characters=sum(map(len, texts)))
        assert ids == theirs


def bench_packing(tokenizer: PreTrainedTokenizerFast, texts: list[str], folder: Path) -> None:
    path = folder / "code.ds"
    documents = (encode_document(tokenizer, text) for text in texts)
    write_token_store(path, documents, {"tokenizer_fingerprint": tokenizer_fingerprint(tokenizer)})
    store = TokenStore(path)
    for seq_length in SEQ_LENGTHS:
        for fim in (None, FimConfig(rate=0.5)):
            with Clock() as clock:
                windows = pack_documents(store, tokenizer, seq_length, fim, 0, folder / "packed", num_workers=1)
            name = f"packing to {seq_length}, {'half of it fill-in-the-middle' if fim else 'next token alone'}"
            clock.line(name, tokens=store.num_tokens)
            print(f"{'':58s} {windows.padding_fraction:.2%} padding")
        source = PackedSource(MixtureSource("code", (path,), "code", 1.0), (windows,))
        for rows in BATCH_ROWS:
            dataset = MixtureDataset([source], {"code": 1.0}, rows * BATCHES, 0, max_epochs=1e9)
            name = f"batches of {rows} windows of {seq_length}"
            report_loading(name, dataset, collate_windows, rows, rows * seq_length)


def report_loading(name: str, dataset: Any, collate: Any, rows: int, batch_tokens: int) -> None:
    from torch.utils.data import DataLoader

    loader = DataLoader(dataset, batch_size=rows, collate_fn=collate)
    num_tokens = batches = 0
    with Clock() as clock:
        for batch in loader:
            num_tokens += batch["input_ids"].numel()
            batches += 1
            if batches == BATCHES:
                break
    clock.line(name, tokens=num_tokens)
    wait = clock.seconds / batches / (batch_tokens / GPU_TOKENS_PER_SECOND)
    print(f"{'':58s} {wait:.3%} of a step at {GPU_TOKENS_PER_SECOND:,} tokens/s")


def bench_chat(tokenizer: PreTrainedTokenizerFast, texts: list[str], number: int, folder: Path) -> int:
    path = folder / "chat.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in conversations(texts, number))
    with Clock() as clock:
        store = open_chat_store(ChatSource(str(path)), ChatSettings("sft", 4096), tokenizer, folder / "packed", 1)
    num_tokens, kept = store.num_tokens, int(store.description["num_kept"])
    clock.line("conversations read, encoded and packed to 4096", conversations=kept, tokens=num_tokens)
    print(f"{'':58s} {num_tokens / kept:.0f} tokens a conversation, {1 - num_tokens / (len(store) * 4096):.2%} padding")
    rows = ChatDataset([store], None, 1 + 4 * BATCHES // len(store), 4, 0)
    collate = partial(collate_rows, pad_token_id=tokenizer.pad_token_id)
    report_loading("batches of 4 rows of 4096", rows, collate, 4, 4 * 4096)
    return kept


def bench_trl(tokenizer: PreTrainedTokenizerFast, texts: list[str], number: int) -> None:
    import datasets
    from trl import pack_dataset

    datasets.disable_progress_bars()
    table = datasets.Dataset.from_list(list(conversations(texts, number)))

    def encode(row: dict[str, Any]) -> dict[str, Any]:
        made = tokenizer.apply_chat_template(
            row["messages"], tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        return {"input_ids": made["input_ids"], "assistant_masks": made["assistant_masks"]}

    with Clock() as clock:
        encoded = table.map(encode, remove_columns=table.column_names)
        packed = pack_dataset(encoded, 4096, "bfd")
    num_tokens = sum(map(len, packed["input_ids"]))
    clock.line(f"the same by TRL's calls, {number:,} conversations", conversations=number, tokens=num_tokens)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=20_000)
    parser.add_argument("--skip-peers", action="store_true")
    options = parser.parse_args()
    texts = sources()
    tokenizer = train_tokenizer(texts[::4], vocab_size=16_000)
    print(f"{len(texts):,} files, {sum(map(len, texts)):,} characters, {len(tokenizer):,} tokens in the vocabulary")
    with tempfile.TemporaryDirectory() as folder:
        bench_text(tokenizer, texts, options.skip_peers)
        bench_packing(tokenizer, texts, Path(folder))
        bench_chat(tokenizer, texts, options.conversations, Path(folder))
        first = peak_bytes()
        (Path(folder) / "long").mkdir()
        bench_chat(tokenizer, texts, 4 * options.conversations, Path(folder) / "long")
        print(f"peak of memory: {first / 1e9:.2f} GB, after four times as many {peak_bytes() / 1e9:.2f} GB")
        if not options.skip_peers:
            bench_trl(tokenizer, texts, min(options.conversations, 5000))


if __name__ == "__main__":
    main()
