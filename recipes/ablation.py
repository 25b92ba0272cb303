"""Section 2.1: the ablation study: does a model get better by the data?

    python recipes/ablation.py --config recipes/configs/tiny/stage2.yaml --candidate notebooks.ds \
        --held-out code=outputs/held_out --output outputs/ablation

The same as `python -m recipes ablation`; `--help` has its options.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script, this file's own folder comes first on sys.path, and not the repository's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from recipes.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["ablation", *sys.argv[1:]]))
