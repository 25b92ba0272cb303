"""Section 2.1: the ablation study: a dataset is approved when a model trained with it does better than one without."""
