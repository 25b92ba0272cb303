"""Section 3: training. One script per kind (pretrain, sft, dpo), launched by accelerate; one YAML per stage."""
