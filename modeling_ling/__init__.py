"""The Ling mixture-of-experts model: importing this package registers it with transformers' Auto classes.

    >>> import modeling_ling
    >>> from transformers import AutoModelForCausalLM
    >>> model = AutoModelForCausalLM.from_config(modeling_ling.load_preset("tiny"))

Section 3.1 of the paper. Released checkpoints load without copying any file into them.
"""

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

from .configuration_bailing_moe import BailingMoeConfig
from .modeling_bailing_moe import BailingMoeForCausalLM, BailingMoeForSequenceClassification, BailingMoeModel
from .presets import PRESETS, load_preset

AutoConfig.register("bailing_moe", BailingMoeConfig, exist_ok=True)
AutoModel.register(BailingMoeConfig, BailingMoeModel, exist_ok=True)
AutoModelForCausalLM.register(BailingMoeConfig, BailingMoeForCausalLM, exist_ok=True)
AutoModelForSequenceClassification.register(BailingMoeConfig, BailingMoeForSequenceClassification, exist_ok=True)

__all__ = [
    "PRESETS",
    "BailingMoeConfig",
    "BailingMoeForCausalLM",
    "BailingMoeForSequenceClassification",
    "BailingMoeModel",
    "load_preset",
]
