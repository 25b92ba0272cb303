"""Section 3.2: what the training scripts share: the token mixture, FIM, packing, schedules and the MoE trainer."""
