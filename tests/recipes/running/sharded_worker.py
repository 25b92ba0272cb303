"""Runs recipes as `worlds_worker.py` does, sharded (FSDP2) on processors, where accelerate shards on accelerators only.

What accelerate finds when it looks at the machine is corrected; all that follows is its own.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ |= {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_TRANSFORMER_CLS_TO_WRAP": "BailingMoeDecoderLayer",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
}

from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType

from recipes.stages.course import run_recipe
from recipes.stages.kinds import STAGES
from tests.recipes.running.processes import import_once

import_once()
_initialize = AcceleratorState.__init__


def initialize(self: AcceleratorState, *args: Any, fsdp_plugin: Any = None, **kwargs: Any) -> None:
    _initialize(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
    if fsdp_plugin is not None and self.distributed_type == DistributedType.MULTI_CPU:
        self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin


def main() -> None:
    """Run the jobs of the file that is named."""
    AcceleratorState.__init__ = initialize
    for kind, arguments in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        run_recipe(STAGES[kind], arguments)
