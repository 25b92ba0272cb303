"""Section 3.2: the builder `tokenized`: rows of built datasets as token files, one per source of Table 1's mixture.

    python -m datasets_builders tokenized --config datasets_builders/tokenized/configs/quickstart.yaml

Beside the usual Parquet files (one row per document: where its tokens are) the `data` folder gets for each input
`NAME.ds`, `NAME.ds.index` and `NAME.ds.metadata`, which `recipes.data.token_store.TokenStore` maps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from datasets_builders.building import BuilderConfig, CardParts, ConfigError, Stage
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.tokenized.chat_rows import OVER_LENGTH_POLICIES, OverLength
from datasets_builders.tokenized.steps import CHAT_COLUMNS, EncodeRows, ReadInputs, TokenFileWriter, source_of
from datasets_builders.tokenized.tokenization import MESSAGES_KEY, load_tokenizer, tokenizer_fingerprint

if TYPE_CHECKING:
    from datasets import Features

INPUT_KEYS = {"path": "", "name": "", "text_key": "text", "split": "train", "where": "", "rows": ""}
ROW_KINDS = ("", "sft", "dpo")
DATA_ROOT_PLACEHOLDER = "{data_root}"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_WHERE = re.compile(r"[^=]+=[^=]+")


@dataclass
class TokenizedConfig(BuilderConfig):
    """Fields of the tokenized builder."""

    inputs: list[dict[str, str]] = field(
        default_factory=list,
        metadata={
            "help": "sources: each {path: dataset folder, name: of its token file, text_key: content, text or "
            "messages (default text), split: (default train), where: column=value|value, to read only such rows, rows: "
            "sft or dpo, to write packed rows of conversations or pairs instead of a token file}"
        },
    )
    data_root: str = field(default="", metadata={"help": "folder that replaces {data_root} in the paths of the inputs"})
    tokenizer: str = field(default="", metadata={"help": "folder of the tokenizer (with tokenizer.json)"})
    min_tokens: int = field(
        default=4, metadata={"help": "documents with fewer tokens, end token included, are removed"}
    )

    row_tokens: int = field(default=4096, metadata={"help": "tokens of a packed row of conversations, and of a pair"})
    over_length: str = field(
        default="drop", metadata={"help": "conversations longer than row_tokens: drop, or split into rows of their own"}
    )

    def validate(self) -> None:
        """Check the inputs' keys and names; see `BuilderConfig.validate`."""
        super().validate()
        names = []
        for number, source in enumerate(self.inputs):
            unknown = sorted(set(source) - set(INPUT_KEYS))
            if unknown:
                raise ConfigError(f"inputs, item {number}: unknown key {unknown[0]!r}; known: {', '.join(INPUT_KEYS)}")
            if not source.get("path"):
                raise ConfigError(f"inputs, item {number}: path is missing; give the folder of a built dataset")
            name = source.get("name", "")
            if not _NAME.fullmatch(name):
                raise ConfigError(
                    f"inputs, item {number}: name is {name!r}, but must be letters, digits, '_', '.', '-'"
                )
            if source.get("where") and not _WHERE.fullmatch(source["where"]):
                raise ConfigError(
                    f"inputs, item {number}: where is {source['where']!r}, but must be column=value|value"
                )
            if source.get("rows", "") not in ROW_KINDS:
                raise ConfigError(f"inputs, item {number}: rows is {source['rows']!r}, but must be sft or dpo")
            names.append(name)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"two inputs are named {twice[0]!r}; each gives a file of its own name")
        if self.over_length not in OVER_LENGTH_POLICIES:
            raise ConfigError(f"over_length is {self.over_length!r}, but must be drop or split")
        if self.row_tokens < 8:
            raise ConfigError(f"row_tokens is {self.row_tokens}, but must be at least 8")
        if self.min_tokens < 1:
            raise ConfigError(f"min_tokens is {self.min_tokens}, but must be at least 1")

    def complete_inputs(self) -> list[dict[str, str]]:
        """Return the inputs with their defaults and the data root filled in."""
        return [
            {**INPUT_KEYS, **source, "path": source["path"].replace(DATA_ROOT_PLACEHOLDER, self.data_root)}
            for source in self.inputs
        ]


class TokenizedBuilder(DerivedBuilder[TokenizedConfig]):
    """Token files with a document index; see the module."""

    name = "tokenized"
    summary = "token files with a document index, from which pre-training mixes"
    config_class = TokenizedConfig
    text_column = None
    counted_column = "source"

    @property
    def features(self) -> Features:
        """One row per document of a token file."""
        from datasets import Features, Value

        return Features(
            {
                "id": Value("string"),
                "source": Value("string"),
                "document": Value("int64"),
                "num_tokens": Value("int64"),
                "num_bytes": Value("int64"),
            }
        )

    def check(self) -> None:
        """Check that every input has its split and the tokenizer loads."""
        if not self.config.inputs:
            raise ConfigError(
                "inputs is empty; name at least one built dataset as {path: ..., name: ..., text_key: ...}"
            )
        try:
            load_tokenizer(self.config.tokenizer)
        except ValueError as error:
            raise ConfigError(f"tokenizer: {error}") from None
        super().check()
        for source in self.config.complete_inputs():
            self._check_input(source)

    @property
    def input_paths(self) -> list[str]:
        """The datasets, one per source."""
        return [source["path"] for source in self.config.complete_inputs()]

    def _check_input(self, source: dict[str, str]) -> None:
        folder = DatasetFolder(source["path"])
        shards = folder.shards_of(source["split"])
        if not shards:
            raise ConfigError(
                f"input {folder.path} has no split {source['split']!r}; it has {', '.join(folder.splits)}"
            )
        columns = shards[0].columns
        wanted = {"where": source["where"].partition("=")[0]}
        if not source["rows"]:
            wanted["text_key"] = source["text_key"]
        elif not {*CHAT_COLUMNS} & {*columns}:
            raise ConfigError(
                f"input {folder.path} has no column of conversations or pairs; it has {', '.join(columns)}"
            )
        for key, column in wanted.items():
            if column and column not in columns:
                raise ConfigError(f"input {folder.path} has no column {column!r} ({key}); it has {', '.join(columns)}")

    def inputs(self) -> list[str]:
        """Return a line per input."""
        lines = []
        for source in self.config.complete_inputs():
            read = [source["split"], source["text_key"], source["where"]]
            lines.append(f"{source['name']}: {source['path']} ({', '.join(filter(None, read))})")
        return [*lines, f"tokenizer: {self.config.tokenizer}"]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of all inputs and of the tokenizer."""
        tokenizer = load_tokenizer(self.config.tokenizer)
        return super().input_fingerprint() | {"tokenizer": tokenizer_fingerprint(tokenizer)}

    def stages(self) -> list[Stage]:
        """Encode rows in parallel; then write each source's file, all its documents in one rank."""
        inputs, tokenizer = self.config.complete_inputs(), self.config.tokenizer
        row_tokens, over_length = self.config.row_tokens, self.config.over_length
        writer = TokenFileWriter(self.output_folder / "data", inputs, tokenizer, self.config.seed, row_tokens)
        policy: OverLength = "split" if over_length == "split" else "drop"
        return [
            Stage(
                "encode",
                [ReadInputs(inputs), EncodeRows(tokenizer, self.config.min_tokens, row_tokens, policy)],
                tasks=self.config.num_tasks,
            ),
            Stage("token_files", [writer], tasks=len(inputs), key=source_of),
        ]

    def card(self) -> CardParts:
        """Return the words of the card."""
        conversations = any(source["text_key"] == MESSAGES_KEY for source in self.config.complete_inputs())
        return CardParts(
            "Token files",
            "Documents as token ids, ready to be mixed for pre-training. `data/NAME.ds` holds the ids (uint32, little "
            "endian) of all documents of a source, `data/NAME.ds.index` the end of each document (uint64), "
            "`data/NAME.ds.metadata` counts and hashes. The order is shuffled by a hash of seed and id. Text was "
            "encoded with special-token parsing off; every document ends with the end token."
            + (" Conversations are rendered with the chat template." if conversations else "")
            + (
                " `data/NAME.rows` holds packed rows of conversations, or preference pairs, with what is a target."
                if any(source["rows"] for source in self.config.complete_inputs())
                else ""
            ),
            license=self.license,
            columns={
                "id": "source and id of the row that it was made of",
                "source": "name of the token file",
                "document": "number of the document in the token file",
                "num_tokens": "with the end token",
                "num_bytes": "of the text in UTF-8; of a conversation, of its JSON",
            },
            tags=["tokenized", "datatrove"],
        )
