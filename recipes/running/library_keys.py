"""Section 3.2: which keys of TrainingArguments, SFTConfig and DPOConfig a recipe may write, and why the rest may not.

The libraries have about 140 keys; a good part of them does nothing here, since the data, the loss, the schedule and the
checkpoints are ours. A key that does nothing is refused with what to use instead, never accepted in silence. Light: a
plan reads it too.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

# Keys that the losses depend on: they belong to a run's identity.
_LOSS_KEYS_OF_ALL = (
    *("learning_rate", "warmup_steps", "optim", "weight_decay", "adam_beta1", "adam_beta2"),
    *("adam_epsilon", "max_grad_norm", "bf16", "tf32", "seed"),
)
LOSS_KEYS: dict[str, frozenset[str]] = {
    "pretrain": frozenset({*_LOSS_KEYS_OF_ALL, "data_seed"}),
    "distill": frozenset({*_LOSS_KEYS_OF_ALL, "num_train_epochs"}),
    "sft": frozenset({*_LOSS_KEYS_OF_ALL, "num_train_epochs", "router_aux_loss_coef"}),
    "dpo": frozenset(
        {
            *(*_LOSS_KEYS_OF_ALL, "num_train_epochs", "router_aux_loss_coef"),
            *("beta", "loss_type", "loss_weights", "label_smoothing", "use_weighting", "ld_alpha"),
            "f_divergence_type",
        }
    ),
}

# Keys that act on how a run goes, not on what it learns.
_RUNNING_KEYS_OF_ALL = frozenset(
    {
        "output_dir",
        # Memory and speed.
        *("per_device_train_batch_size", "activation_checkpointing", "activation_checkpointing_kwargs"),
        *("torch_compile", "torch_compile_backend", "torch_compile_mode", "torch_empty_cache_steps", "use_cpu"),
        *("dataloader_num_workers", "dataloader_pin_memory", "dataloader_persistent_workers"),
        *("dataloader_prefetch_factor", "full_determinism"),
        # Logs.
        *("logging_steps", "logging_first_step", "log_level", "log_level_replica", "report_to", "run_name", "project"),
        *("trackio_space_id", "trackio_bucket_id"),
        # Checkpoints.
        *("save_strategy", "save_steps", "save_total_limit"),
        # Processes.
        *("ddp_find_unused_parameters", "ddp_bucket_cap_mb", "ddp_static_graph", "ddp_backend", "ddp_timeout"),
    }
)
RUNNING_KEYS: dict[str, frozenset[str]] = {
    "pretrain": _RUNNING_KEYS_OF_ALL,
    "distill": _RUNNING_KEYS_OF_ALL,
    "sft": _RUNNING_KEYS_OF_ALL,
    "dpo": _RUNNING_KEYS_OF_ALL | {"precompute_ref_log_probs", "precompute_ref_batch_size"},
}

NOT_KNOWN = "nothing here is known to act on it"
_LAUNCH = "what is spread over devices stands in accelerate's launch file (recipes/accelerate_configs/)"
_EVALUATION = "use eval_every_steps, eval_data, eval_rows and eval_batch_rows"
_PUSHING = "use push_to_hub_repo; the token is the one of `hf auth login` or HF_TOKEN"
_ROWS = "the rows are encoded, cut and packed before the trainer sees them"
_MODEL = "the model and its code are init_from's"
_OWN_LOSS = "the loss is the model's own"
_ONE_DOOR = "the script says what is done"
_REFUSED: dict[str, str] = {
    # Derived, or a clearer key exists.
    "gradient_accumulation_steps": "it is derived from global_batch_tokens",
    "max_steps": "it is derived from train_tokens (pretrain) or num_train_epochs (sft, dpo)",
    "resume_from_checkpoint": "use resume_from",
    "lr_scheduler_type": "use schedule",
    "lr_scheduler_kwargs": "use the schedule's own keys (min_learning_rate, milestones_tokens, ...)",
    "model_init_kwargs": "use init_from",
    "push_to_hub": "use push_to_hub_repo",
    "hub_model_id": "use push_to_hub_repo",
    "train_sampling_strategy": "the order is fixed by the data plan, or a run could not be resumed exactly",
    "ignore_data_skip": "the order is fixed by the data plan, or a run could not be resumed exactly",
    "max_length": "use sequence_length",
    "gradient_checkpointing": "use activation_checkpointing",
    "gradient_checkpointing_kwargs": "use activation_checkpointing_kwargs",
    "dataset_text_field": _ROWS,
    "fp16": "use bf16: a loss scaler drops steps, which a resumed run would have to drop again",
    "auto_find_batch_size": "set per_device_train_batch_size; it does not change the batch of a step",
    "enable_jit_checkpoint": "SIGTERM and SIGINT save a whole checkpoint in every run",
    "save_only_model": "a checkpoint without its optimizer cannot be continued",
    "restore_callback_states_from_checkpoint": "a resumed run restores all that it needs",
    "disable_tqdm": "a terminal gets a progress bar, a file one line per logging step",
    "logging_strategy": "use logging_steps",
    "logging_nan_inf_filter": "use on_nonfinite",
    "include_num_input_tokens_seen": "metrics.jsonl has tokens_seen",
    "skip_memory_metrics": "metrics.jsonl has the peak of memory",
    "average_tokens_across_devices": "the loss is always over the tokens of all devices",
    "dataloader_drop_last": "every step has its full batch",
    "dataloader_in_order": "the order is fixed by the data plan",
    "dataloader_multiprocessing_context": "workers are forked as the platform does",
    "accelerator_config": _LAUNCH,
    "label_names": "the labels are called labels",
    "length_column_name": "rows are not grouped by length",
    "remove_unused_columns": "batches hold what the model takes",
    "use_cache": "training keeps no cache of keys and values",
    # Losses of others.
    "label_smoothing_factor": _OWN_LOSS,
    "use_liger_kernel": f"{_OWN_LOSS}, which Liger's head would bypass",
    "liger_kernel_config": f"{_OWN_LOSS}, which Liger's head would bypass",
    "neftune_noise_alpha": "noise in the embeddings is not repeated by a resumed run",
    "optim_args": "AdamW's settings are adam_beta1, adam_beta2, adam_epsilon and weight_decay",
    "f_alpha_divergence_coef": "it belongs to one divergence alone, and keeps the library's value",
    "discopop_tau": "it belongs to one loss alone, and keeps the library's value",
    "optim_target_modules": "it belongs to optimizers of low rank, which have no moments to carry on",
    # Saved for others.
    "log_on_each_node": "the first process of all writes the log",
    "save_on_each_node": "output_dir must be seen by all nodes",
    "trackio_static_space_id": "use trackio_space_id",
    "ddp_broadcast_buffers": "the model has no buffers that change",
    "parallelism_config": _LAUNCH,
    "fsdp": _LAUNCH,
    "fsdp_config": _LAUNCH,
    "deepspeed": "DeepSpeed is not supported; use FSDP2 (recipes/accelerate_configs/)",
    "debug": "use torch's own switches",
    "local_rank": _LAUNCH,
    "do_train": _ONE_DOOR,
    "do_eval": _ONE_DOOR,
    "do_predict": _ONE_DOOR,
    # Done before TRL sees the rows.
    **dict.fromkeys(
        ("dataset_kwargs", "dataset_num_proc", "pad_to_multiple_of", "shuffle_dataset", "packing", "packing_strategy"),
        _ROWS,
    ),
    **dict.fromkeys(("padding_free", "truncation_mode", "completion_only_loss", "assistant_only_loss"), _ROWS),
    **dict.fromkeys(("pad_token", "eos_token", "chat_template_path"), "the tokenizer's own are used"),
    "trust_remote_code": _MODEL,
    "activation_offloading": "use activation_checkpointing",
    "disable_dropout": "the model has no dropout",
    **dict.fromkeys(
        ("sync_ref_model", "ref_model_sync_steps", "ref_model_mixup_alpha"),
        "a checkpoint holds no reference model, so a resumed run would go on with another one",
    ),
    **dict.fromkeys(
        ("hub_token", "hub_private_repo", "hub_strategy", "hub_always_push", "hub_revision"),
        _PUSHING,
    ),
    **dict.fromkeys(
        (
            *("eval_strategy", "eval_steps", "eval_delay", "per_device_eval_batch_size", "prediction_loss_only"),
            *("eval_on_start", "eval_do_concat_batches", "eval_use_gather_object", "eval_accumulation_steps"),
            *("include_for_metrics", "batch_eval_metrics", "load_best_model_at_end", "metric_for_best_model"),
            *("greater_is_better", "bf16_full_eval", "fp16_full_eval", "eval_packing"),
        ),
        _EVALUATION,
    ),
}
_REFUSED_OF_KIND: dict[str, dict[str, str]] = {
    "pretrain": {"num_train_epochs": "use train_tokens"},
    "distill": {"data_seed": "the order of the rows follows seed"},
    "sft": {"loss_type": _OWN_LOSS, "data_seed": "the order of the rows follows seed"},
    "dpo": {"data_seed": "the order of the pairs follows seed"},
}

# Optimizers whose settings are the keys above, and whose moments the stage after can take over.
OPTIMIZERS = (
    *("adamw_torch", "adamw_torch_fused", "adamw_torch_4bit", "adamw_torch_8bit"),
    *("adamw_bnb_8bit", "paged_adamw_32bit", "paged_adamw_8bit"),
)


def refused_keys(kind: str, library: Iterable[str], own: Container[str]) -> dict[str, str]:
    """Return the keys that a recipe of a kind may not write, each with the reason.

    Args:
        kind: pretrain, sft or dpo.
        library: all keys of the library's class, of a version with more of them too.
        own: keys of ours, which stand before the library's of the same name.
    """
    accepted = LOSS_KEYS[kind] | RUNNING_KEYS[kind]
    reasons = _REFUSED | _REFUSED_OF_KIND[kind]
    return {key: reasons.get(key, NOT_KNOWN) for key in library if key not in accepted and key not in own}


__all__ = ["LOSS_KEYS", "NOT_KNOWN", "OPTIMIZERS", "RUNNING_KEYS", "refused_keys"]
