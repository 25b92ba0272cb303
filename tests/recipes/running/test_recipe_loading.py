"""Recipes are read strictly: every complaint names the key, the value, the limit and the fix."""

from pathlib import Path

import pytest

from datasets_builders.building.strict_yaml import read_yaml
from recipes.data.mixture_recipe import read_mixture
from recipes.running.arguments import DPOArguments, PretrainArguments, SFTArguments
from recipes.running.recipe_loading import RecipeError, is_part, load_recipe, parse_recipe

GOOD = """recipe: pretrain
learning_rate: 3e-4
sequence_length: 64
global_batch_tokens: 512
train_tokens: 4096
per_device_train_batch_size: 2
mixture: {ratios: {code: 0.7, math: 0.3}}
use_cpu: true
"""


def write(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return ["--config", str(path)]


def test_a_flat_recipe_fills_the_arguments_and_derives_steps_and_accumulation(tmp_path: Path) -> None:
    arguments = parse_recipe(PretrainArguments, write(tmp_path, GOOD))
    assert arguments.learning_rate == 3e-4  # YAML 1.1 alone would leave the string "3e-4"
    assert arguments.max_steps == 4096 // 512
    assert arguments.gradient_accumulation_steps == 512 // 64 // 2


def test_a_recipe_is_read_as_a_builders_config_is(tmp_path: Path) -> None:
    lines = "adam_beta1: 9e-1\nsave_steps: 1e2\nseed: 1e1\nfreeze_router: yes\nstage: no\n"
    recipe = write(tmp_path, GOOD + lines)[1]
    values = load_recipe(recipe)
    assert values == read_yaml(Path(recipe))
    arguments = parse_recipe(PretrainArguments, ["--config", recipe])
    assert (arguments.adam_beta1, arguments.seed, arguments.freeze_router) == (0.9, 10, True)
    assert arguments.stage == "no", "a text in YAML 1.2"


def test_fields_on_the_command_line_override_the_recipe_with_hyphens_and_underscores(tmp_path: Path) -> None:
    config = write(tmp_path, GOOD)
    assert parse_recipe(PretrainArguments, [*config, "--learning-rate", "1e-3"]).learning_rate == 1e-3
    assert parse_recipe(PretrainArguments, [*config, "--train_tokens", "8192"]).max_steps == 16
    assert parse_recipe(PretrainArguments, [f"--config={config[1]}"]).max_steps == 8


def test_the_data_root_is_put_into_every_path(tmp_path: Path) -> None:
    arguments = parse_recipe(PretrainArguments, [*write(tmp_path, GOOD), "--data_root", "elsewhere"])
    assert arguments.tokenized == "elsewhere/datasets/tokenized"
    assert arguments.tokenizer == "elsewhere/tokenizer"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lerning_rate: 1.0\n", ["unknown key 'lerning_rate'", "1.0", "'learning_rate'"]),
        ("learning_rate: 1e-4\n", ["'learning_rate' stands twice", "lines 2 and 9"]),
        ("logging_steps: [1, 2]\n", ["logging_steps", "[1, 2]", "list", "float"]),
        ("save_total_limit: 3.7\n", ["save_total_limit", "3.7", "int"]),
        ("use_cpu_extra: no\n", ["use_cpu_extra"]),
        ("init_optimizer: maybe\n", ["init_optimizer", "'maybe'", "bool"]),
        ("max_steps: 10\n", ["max_steps", "derived", "train_tokens"]),
        ("gradient_accumulation_steps: 4\n", ["gradient_accumulation_steps", "derived", "global_batch_tokens"]),
        ("fim_rate: 1.5\n", ["fim_rate", "1.5", "between 0 and 1"]),
        ("schedule: triangular\n", ["schedule", "triangular", "multi_step_constant"]),
        ("save_total_limit: 1\n", ["save_total_limit", "1", "2 or more"]),
        ("min_learning_rate: 1.0\n", ["min_learning_rate", "1.0", "0.0003"]),
    ],
)
def test_a_wrong_line_stops_with_key_value_limit_and_fix(tmp_path: Path, line: str, words: list[str]) -> None:
    with pytest.raises(RecipeError) as problem:
        parse_recipe(PretrainArguments, write(tmp_path, GOOD + line))
    for word in words:
        assert word in str(problem.value)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--lerning_rate", "3"], ["--lerning_rate", "--learning_rate"]),
        (["--max_steps", "3"], ["max_steps", "derived"]),
        (["--per_device_train_batch_size", "3"], ["512", "8 rows", "6 or 9"]),
        (["--global_batch_tokens", "100"], ["global_batch_tokens", "100", "multiple of sequence_length, 64", "128"]),
        (["--train_tokens", "100"], ["train_tokens", "100", "512"]),
        (["--recipe", "sft"], ["recipe", "recipes/sft.py"]),
        (["--config"], ["--config"]),
        # One line, without a page of usage before it.
        (["--logging_steps", "many"], ["argument --logging_steps", "many"]),
        (["--learning_rate", "inf"], ["learning_rate", "inf", "finite"]),
        (["--learning_rates", "3e-4", "nan"], ["learning_rates", "finite"]),
        (["--max_grad_norm", "nan"], ["max_grad_norm", "finite"]),
    ],
)
def test_a_wrong_flag_stops_too(tmp_path: Path, flags: list[str], words: list[str]) -> None:
    with pytest.raises(RecipeError) as problem:
        parse_recipe(PretrainArguments, [*write(tmp_path, GOOD), *flags])
    for word in words:
        assert word in str(problem.value)


@pytest.mark.parametrize("start", ["run", "run/checkpoint-4"])
def test_what_a_stage_begins_with_is_never_where_it_writes(start: str, tmp_path: Path) -> None:
    # A fresh start would move it away, and then find nothing to begin with.
    (tmp_path / start).mkdir(parents=True)
    flags = ["--init_from", str(tmp_path / start), "--output_dir", str(tmp_path / "x" / ".." / "run")]
    with pytest.raises(RecipeError, match=r"output_dir.*init_from.*lies in it"):
        parse_recipe(PretrainArguments, [*write(tmp_path, GOOD), *flags, "--overwrite_output_dir", "true"])


def test_a_missing_file_and_a_file_that_is_no_mapping_are_said_to_be_that(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no recipe at"):
        load_recipe(tmp_path / "absent.yaml")
    with pytest.raises(RecipeError, match="holds a list"):
        load_recipe(write(tmp_path, "- a\n- b\n")[1])
    with pytest.raises(RecipeError, match="not valid YAML"):
        load_recipe(write(tmp_path, "a: [1\n")[1])


def test_a_recipe_includes_parts_and_says_what_it_sets_anew(tmp_path: Path) -> None:
    (tmp_path / "common.yaml").write_text("recipe: common\nsequence_length: 64\nlearning_rate: 3e-4\n")
    (tmp_path / "more.yaml").write_text("recipe: common\nuse_cpu: true\n")
    lines = "recipe: pretrain\ninclude: [common.yaml, more.yaml]\noverride: [learning_rate]\nlearning_rate: 1e-3\n"
    recipe = write(tmp_path, lines)[1]
    expected = {"recipe": "pretrain", "sequence_length": 64, "learning_rate": 1e-3, "use_cpu": True}
    assert load_recipe(recipe) == expected
    assert is_part(tmp_path / "more.yaml") and not is_part(recipe)


@pytest.mark.parametrize(
    ("recipe", "common", "words"),
    [
        (
            "include: common.yaml\nseed: 1\n",
            "recipe: common\nseed: 0\n",
            r"'seed' stands in .*common.yaml too.*override",
        ),
        ("include: common.yaml\noverride: [seed]\n", "recipe: common\nseed: 0\n", "'seed' is not set here"),
        ("include: common.yaml\noverride: [seed]\nseed: 1\n", "recipe: common\n", "'seed' no part has"),
        ("include: [common.yaml, common.yaml]\n", "recipe: common\nseed: 0\n", "'seed' stands in .* and in"),
        ("include: common.yaml\n", "recipe: common\ninclude: x.yaml\n", "only a recipe includes"),
        ("include: common.yaml\n", "seed: 0\n", "must say `recipe: common`"),
        ("include: common.yaml\n", "recipe: common\nseed: 0\nseed: 1\n", "'seed' stands twice"),
        ("include: absent.yaml\n", "", "no recipe at .*absent.yaml"),
        ("include: {a: 1}\n", "", "must be a list of names"),
        ("recipe: common\n", "", "is a part that recipes include"),
    ],
)
def test_what_is_included_wrongly_is_refused_by_name(tmp_path: Path, recipe: str, common: str, words: str) -> None:
    (tmp_path / "common.yaml").write_text(common)
    with pytest.raises(RecipeError, match=words):
        load_recipe(write(tmp_path, recipe)[1])


def test_a_last_step_takes_the_tokens_that_fill_no_whole_one(tmp_path: Path) -> None:
    assert parse_recipe(PretrainArguments, [*write(tmp_path, GOOD), "--train_tokens", "4097"]).max_steps == 9


@pytest.mark.parametrize(
    ("mixture", "words"),
    [
        ({"ratios": {"code": 0.7, "math": 0.2}}, ["mixture.ratios", "sum to 0.9", "code 0.7", "Change one"]),
        ({"ratios": {"code": 70, "math": 30}}, ["mixture.ratios.code", "70", "between 0 and 1"]),
        ({"ratios": {"code": 1.0}, "cod": {"raw": 1.0}}, ["unknown key 'cod'", "'code'"]),
        ({"ratios": {"code": 1.0}, "code": {"raw": 0.5}}, ["mixture.code", "sum to 0.5"]),
        ({"ratios": {"code": "much"}}, ["mixture.ratios.code", "'much'", "number"]),
        ({"ratios": {"code": 1.0}, "files": {"code.raw": "a.ds"}}, ["files", "'code.raw'", "no source"]),
    ],
)
def test_ratios_that_do_not_add_up_stop_with_their_sum(mixture: dict, words: list[str]) -> None:
    with pytest.raises(RecipeError) as problem:
        read_mixture(mixture, Path("tokenized"), [])
    for word in words:
        assert word in str(problem.value)


def test_a_two_level_mixture_names_its_sources_and_files() -> None:
    mixture = {
        "ratios": {"code": 0.7, "math": 0.3},
        "code": {"raw": 0.9, "synthetic": 0.1},
        "files": {"math": "sums.ds"},
    }
    sources, groups = read_mixture(mixture, Path("tokenized"), ["code.raw"])
    assert groups == {"code": 0.7, "math": 0.3}
    assert [(source.name, source.ratio, source.is_code) for source in sources] == [
        ("code.raw", 0.9, True),
        ("code.synthetic", 0.1, False),
        ("math", 1.0, False),
    ]
    assert sources[0].paths == (Path("tokenized/data/code_raw.ds"),)
    assert sources[2].paths == (Path("tokenized/data/sums.ds"),)


def test_sft_and_dpo_derive_accumulation_from_rows_and_pairs() -> None:
    common = ["--use_cpu", "true", "--per_device_train_batch_size", "2"]
    assert parse_recipe(SFTArguments, [*common, "--global_batch_rows", "6"]).gradient_accumulation_steps == 3
    assert parse_recipe(DPOArguments, [*common, "--global_batch_pairs", "4"]).gradient_accumulation_steps == 2
    with pytest.raises(RecipeError, match="4 or 6 rows"):
        parse_recipe(SFTArguments, [*common, "--global_batch_rows", "5"])


# What users of TRL, axolotl, LLaMA-Factory and Megatron type. Nothing is proposed that is refused afterwards.
OTHERS_KEYS = [
    (SFTArguments, "model_name_or_path", "init_from"),
    (SFTArguments, "base_model", "init_from"),
    (SFTArguments, "dataset_name", "dataset"),
    (SFTArguments, "lr", "learning_rate"),
    (SFTArguments, "epochs", "num_train_epochs"),
    (PretrainArguments, "max_tokens", "train_tokens"),
    (SFTArguments, "max_seq_length", "sequence_length"),
    (SFTArguments, "cutoff_len", "sequence_length"),
    (SFTArguments, "batch_size", "per_device_train_batch_size"),
    (SFTArguments, "micro_batch_size", "per_device_train_batch_size"),
    (SFTArguments, "global_batch_size", "global_batch_rows"),
    (DPOArguments, "global_batch_size", "global_batch_pairs"),
    (PretrainArguments, "global_batch_size", "global_batch_tokens"),
    (SFTArguments, "resume", "resume_from"),
    (SFTArguments, "val_set_size", "eval_data"),
    (SFTArguments, "warmup", "warmup_steps"),
    (SFTArguments, "logging", "logging_steps"),
    (SFTArguments, "output", "output_dir"),
    (SFTArguments, "lerning_rate", "learning_rate"),
]


@pytest.mark.parametrize(("arguments", "typed", "meant"), OTHERS_KEYS)
def test_a_key_of_another_trainer_is_answered_by_ours(arguments, typed, meant, tmp_path):
    with pytest.raises(RecipeError, match=rf"unknown key '{typed}' .*Did you mean '{meant}'\?"):
        parse_recipe(arguments, write(tmp_path, f"recipe: sft\n{typed}: 3\n"))
    with pytest.raises(RecipeError, match=rf"Unknown argument '--{typed}'. Did you mean '--{meant}'\?"):
        parse_recipe(arguments, [f"--{typed}", "3"])
    assert meant not in arguments.refused_keys()
