"""Section 3.2: the kinds of training by the name that a recipe gives them."""

from __future__ import annotations

from typing import Any

from recipes.distill import chain_stage, head_stage  # noqa: F401  # what DistillStage chooses from
from recipes.distill.stage import DistillStage
from recipes.stages.fine_tuning import SFTStage
from recipes.stages.preference import DPOStage
from recipes.stages.pretraining import PretrainStage
from recipes.stages.stage import Stage

STAGES: dict[str, type[Stage[Any]]] = {stage.kind: stage for stage in (PretrainStage, SFTStage, DPOStage, DistillStage)}
