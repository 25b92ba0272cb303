"""The steps of adapting a model to one's own code, each a command that can be typed by hand."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modeling_ling.command_line import EXIT_NOTHING_LEFT
from recipes.quickstart.step_runner import Step
from recipes.running.recipe_loading import RecipeError

if TYPE_CHECKING:
    from modeling_ling.fill_in_the_middle import MarkerFamily

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "recipes" / "configs" / "adapt"
# Of code, by the tokenizers of code models; only for the estimate before any is read.
BYTES_PER_TOKEN = 3.3
SKIPPED_FOLDERS = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv"})
REPOSITORIES, FILES = "code", "files"
# Whoever names code as their own may train on it.
OWN_CODE = "license_types=[permissive,non_permissive,no_license]"


@dataclass(frozen=True)
class AdaptOptions:
    """What `recipes adapt` was asked for; its options say what each is."""

    code: tuple[str, ...]
    model: str
    to: Path
    weights: str = "lora"
    epochs: float = 3.0
    fim_rate: float = 0.5
    sequence_length: int = 2048
    batch_tokens: int = 65_536
    held_out_share: float = 0.05
    gaps_per_file: int = 2
    max_new_tokens: int = 256
    benchmark: str = "humaneval"
    benchmark_limit: int | None = None
    workers: int = 2
    seed: int = 0
    training_keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, low, high in (("epochs", 0, 1000), ("held_out_share", 0, 1)):
            if not low < getattr(self, name) < high:
                raise RecipeError(
                    f"--{name.replace('_', '-')} is {getattr(self, name)}: it must lie between {low} and {high}."
                )
        if self.batch_tokens < self.sequence_length:
            raise RecipeError(f"--batch-tokens is {self.batch_tokens}: a row alone has {self.sequence_length}.")


def expanded_sources(sources: Sequence[str]) -> Iterator[str]:
    """Give the sources of code, a folder of git checkouts as its checkouts, each a repository of its own.

    Raises:
        RecipeError: a path that does not exist.
    """
    for source in sources:
        path = Path(source).expanduser()
        if not path.exists() and not source.startswith(("git:", "hf://")) and "*" not in source:
            raise RecipeError(f"--code {source}: there is no such file or folder.")
        checkouts = sorted(child for child in path.glob("*") if (child / ".git").exists()) if path.is_dir() else []
        if checkouts and not (path / ".git").exists():
            yield from (str(child.resolve()) for child in checkouts)
        else:
            yield str(path.resolve()) if path.exists() else source


def _files(options: AdaptOptions) -> Iterator[Path]:
    for source in options.code:
        root = Path(source.removeprefix("git:").partition("@")[0])
        if root.is_file():
            yield root
        for folder, names, files in os.walk(root):
            names[:] = sorted(set(names) - SKIPPED_FOLDERS)
            yield from (Path(folder) / name for name in sorted(files))


def code_fingerprint(options: AdaptOptions) -> str:
    """Return a hash that changes when a file of the code does: of paths, sizes and times."""
    facts = []
    for path in _files(options):
        state = path.lstat()
        facts.append([str(path), state.st_size, state.st_mtime_ns])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def estimate_tokens(options: AdaptOptions) -> int:
    """Return about how many tokens of text files the code has."""
    sizes = (path.lstat().st_size for path in _files(options) if not path.is_symlink() and _is_text(path))
    return max(1, int(sum(size for size in sizes if size < 1_000_000) / BYTES_PER_TOKEN))


def _is_text(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"\0" not in file.read(1024)
    except OSError:
        return False


def prepare_tokenizer(options: AdaptOptions, *, write: bool = True) -> MarkerFamily:
    """Write the model's tokenizer with the names of its fill-in-the-middle tokens; return its family.

    Args:
        options: of the adaptation.
        write: or only look.

    Raises:
        RecipeError: the model has no tokenizer, or one without such tokens.
    """
    from modeling_ling.fill_in_the_middle import family_of, markers_of
    from recipes.running.checkpoints import load_tokenizer

    tokenizer = load_tokenizer(options.model)
    try:
        family = family_of(tokenizer)
        tokenizer.init_kwargs["fim_markers"] = markers_of(tokenizer)
    except ValueError as error:
        raise RecipeError(f"--model {options.model}: {error}.") from error
    if write:
        tokenizer.save_pretrained(options.to / "tokenizer")
    return family


def data_steps(options: AdaptOptions) -> list[Step]:
    """Return the steps from the code to its repositories in order, files held out."""
    datasets = options.to / "datasets"
    protected = f"decontaminate=[{options.benchmark}]"
    sources = "sources=" + json.dumps(list(options.code))
    curate = (sources, OWN_CODE, protected, f"workers={options.workers}", f"output_dir={datasets / 'source_code'}")
    order = (
        *("sources=" + json.dumps([str(datasets / "train" / "data" / "*.parquet")]), OWN_CODE, "decontaminate=[]"),
        # One's own project is taken as it is, however few of its imports lead to files of its own.
        *("min_resolved=0", "min_files=1", f"workers={options.workers}", f"output_dir={datasets / 'repositories'}"),
    )
    hold_out = ("--dataset", str(datasets / "source_code"), "--to", str(options.to))
    choice = ("--share", str(options.held_out_share), "--seed", str(options.seed))
    builders, recipes = (sys.executable, "-m", "datasets_builders"), (sys.executable, "-m", "recipes")
    return [
        Step("source_code", "curate the code", (*builders, "source_code", *curate), "2.2.1"),
        Step("hold_out", "hold files out", (*recipes, "hold-out", *hold_out, *choice), "2.2.1"),
        Step(
            "repositories",
            "order files by imports",
            (*builders, "repositories", *order),
            "2.2.2",
            accepts=(EXIT_NOTHING_LEFT,),  # no file imports another: they are tokenized one by one
        ),
        Step("tokenized", "tokenize", (*recipes, "adapt-tokenize", "--to", str(options.to)), "3.2"),
    ]


def tokenize_inputs(to: Path) -> list[dict[str, str]]:
    """Return what is tokenized: repositories in order, and the files of those in which nothing imports another file.

    Args:
        to: folder of the adaptation.
    """
    from recipes.adapting.holding_out import read_rows

    datasets = to / "datasets"
    repositories = {row["repository"] for row in read_rows(datasets / "train")}
    try:
        ordered = {row["repository"] for row in read_rows(datasets / "repositories")}
    except ValueError:
        ordered = set()
    inputs = []
    if ordered:
        inputs.append({"path": str(datasets / "repositories"), "name": REPOSITORIES, "text_key": "content"})
    if left := sorted(repositories - ordered):
        where = f"repository={'|'.join(left)}" if ordered else ""
        inputs.append({"path": str(datasets / "train"), "name": FILES, "text_key": "content", "where": where})
    return inputs


def read_token_counts(options: AdaptOptions) -> dict[str, int]:
    """Return the tokens of each token file."""
    data = options.to / "datasets" / "tokenized" / "data"
    paths = [data / f"{name}.ds.metadata" for name in (REPOSITORIES, FILES)]
    return {
        path.name.partition(".")[0]: int(json.loads(path.read_text(encoding="utf-8"))["num_tokens"])
        for path in paths
        if path.is_file()
    }


def recipe_path(options: AdaptOptions) -> Path:
    """Return the recipe of the training."""
    return CONFIGS / f"{options.weights}.yaml"


def recipe_flags(options: AdaptOptions, counts: Mapping[str, int], layouts: Mapping[str, float]) -> list[str]:
    """Return the keys that the code and the model decide.

    Args:
        options: of the adaptation.
        counts: tokens of each token file.
        layouts: of the model's family.
    """
    rows = max(1, options.batch_tokens // options.sequence_length)
    num_tokens = sum(counts.values())
    # A small project still gets some updates an epoch.
    while rows > 1 and num_tokens < 8 * rows * options.sequence_length:
        rows //= 2
    batch = rows * options.sequence_length
    values: dict[str, Any] = {
        "data_root": options.to,
        "init_from": options.model,
        "sequence_length": options.sequence_length,
        "global_batch_tokens": batch,
        "train_tokens": max(batch, round(num_tokens * options.epochs)),
        "mixture": json.dumps({"ratios": {"code": 1.0}, "files": {"code": [f"{name}.ds" for name in counts]}}),
        "corpus_tokens": json.dumps({"code": num_tokens}),
        "max_epochs": max(10.0, 2 * options.epochs),
        "fim_rate": options.fim_rate,
        "fim_layouts": json.dumps(dict(layouts)),
        "data_seed": options.seed,
    }
    return [part for name, value in values.items() for part in (f"--{name}", str(value))] + list(options.training_keys)


def training_steps(options: AdaptOptions, counts: Mapping[str, int], layouts: Mapping[str, float]) -> list[Step]:
    """Return the steps from token files to a measured model."""
    to, model = options.to, options.to / "model"
    flags = recipe_flags(options, counts, layouts)
    place = flags.index("--corpus_tokens")
    del flags[place : place + 2]
    train = (
        *(sys.executable, str(ROOT / "recipes" / "pretrain.py"), "--config", str(recipe_path(options)), *flags),
        *("--resume_from", "auto", "--overwrite_output_dir", "true"),
    )

    def infill(which: str, path: str) -> tuple[str, ...]:
        return (
            *(sys.executable, "-m", "recipes", "infill", "--model", path, "--held-out", str(to / "held_out.jsonl")),
            *("--to", str(to / "evaluation" / f"infilling_{which}.json"), "--per-file", str(options.gaps_per_file)),
            *("--seed", str(options.seed), "--max-new-tokens", str(options.max_new_tokens)),
            *("--tests-from", str(to / "datasets" / "source_code")),
        )

    steps = [
        Step("infilling_before", "fill gaps, before", infill("before", options.model), "3.2", warm=True),
        Step("train", "train on the code", train, "3.2", warm=True),
        Step("infilling_after", "fill gaps, after", infill("after", str(model)), "3.2", warm=True),
    ]
    if options.benchmark:
        limit = () if options.benchmark_limit is None else ("--limit", str(options.benchmark_limit))
        command = (
            *(sys.executable, "-m", "evals", "run", "--model", str(model), "--baseline-model", options.model, "--base"),
            *("--tasks", options.benchmark, "--output", str(to / "evaluation" / "general"), *limit),
        )
        steps.append(Step("general", f"{options.benchmark}, before and after", command, "4", warm=True))
    return steps
