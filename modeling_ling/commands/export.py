"""Write a checkpoint as the Hub expects it, whatever wrote it: a released one, or one trained here."""

import argparse
import shutil
from pathlib import Path
from typing import cast

from modeling_ling.push_options import add_push_options, push_target

HELP = "write the Hub-ready folder of a checkpoint, and push it on request"
EXAMPLE = "python -m modeling_ling export --from outputs/sft --to outputs/ling_model --push-to ORG/NAME"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--from", dest="source", required=True, help="a checkpoint folder, or a name on the Hub")
    parser.add_argument("--from-revision", help="branch, tag or commit of the source on the Hub")
    parser.add_argument("--to", type=Path, required=True, help="the folder to write")
    parser.add_argument(
        "--dtype", default="auto", choices=("auto", "float32", "bfloat16"), help="auto keeps what is stored"
    )
    parser.add_argument("--max-shard-size", default="5GB", help="size of one safetensors file")
    parser.add_argument("--overwrite", action="store_true", help="replace a model that is there")
    parser.add_argument("--overwrite-card", action="store_true", help="replace a README.md that is there")
    add_push_options(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, and stop")


def run(options: argparse.Namespace) -> int:
    """Write the folder, and push it where asked."""
    from modeling_ling.accounting import count_checkpoint_tensors, weight_bytes
    from modeling_ling.checkpoint_layout import check_name_on_hub, parse_size, refuse_existing_model
    from modeling_ling.configuration_bailing_moe import BailingMoeConfig
    from modeling_ling.export import REMOTE_CODE_FILES, export_model, load_tokenizer
    from modeling_ling.model_card import CARD_FILE, write_card
    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from modeling_ling.publishing import publish_folder
    from modeling_ling.serving import engine_warnings

    parse_size(options.max_shard_size)
    target = push_target(options)
    is_folder = Path(options.source).is_dir()
    if not is_folder:
        check_name_on_hub(options.source, "--from")
    if is_folder and options.to.exists() and options.to.samefile(options.source):
        raise ValueError(f"--to {options.to} is the source itself: write to another folder")
    if not options.overwrite:
        refuse_existing_model(options.to)
    revision = options.from_revision or "main"
    config = BailingMoeConfig.from_pretrained(options.source, revision=revision)
    gigabytes = weight_bytes(config) / 1e9
    print(f"{options.source}: {count_checkpoint_tensors(config):,} tensors, {gigabytes:.2f} GB in bfloat16")
    for engine, texts in engine_warnings(config).items():
        print(f"{engine} will not serve this model as it is: {'; '.join(texts)}")
    destination = f"{options.to}" + (f", then {options.push_to}" if options.push_to else "")
    if options.dry_run:
        print(f"would write weights, {', '.join(REMOTE_CODE_FILES)}, tokenizer, settings and card to {destination}")
        return 0
    loaded = BailingMoeForCausalLM.from_pretrained(
        options.source, dtype=options.dtype, revision=revision, check_finite=True
    )
    model = cast(BailingMoeForCausalLM, loaded)
    tokenizer = load_tokenizer(options.source, revision)
    export_model(model, tokenizer, options.to, max_shard_size=options.max_shard_size)
    if is_folder and not options.overwrite_card and (Path(options.source) / CARD_FILE).is_file():
        shutil.copyfile(Path(options.source) / CARD_FILE, options.to / CARD_FILE)
    elif options.overwrite_card or not (options.to / CARD_FILE).is_file():
        base_model = None if is_folder else options.source
        write_card(options.to, config, name=options.push_to or options.to.name, base_model=base_model)
    print(f"{options.to}: written" + ("" if tokenizer else "; the source has no tokenizer.json, so none is there"))
    if target:
        result = publish_folder(
            options.to,
            target.repo_id,
            kind="model",
            private=target.private,
            revision=target.revision,
            tag=target.tag,
        )
        print(f"pushed: {result.url}")
    return 0
