"""A small builder of a user's own, and its build: `build_lines.py OUTPUT_FOLDER 'EXECUTOR AS YAML'`.

Its rank 1 fails as long as a file `fail` lies in the current folder, with what it holds as the message, and waits with
its files half written as long as a file `wait` does.
"""

import sys
import time
from pathlib import Path

from datatrove.data import Document

from datasets_builders.building import (
    Builder,
    BuilderConfig,
    BuildError,
    CardParts,
    ConfigError,
    Generator,
    Stage,
    load_config,
)
from datasets_builders.curation.deduplication.exact import ExactDedup


class Lines(Generator):
    """Write lines."""

    name = "lines"

    def generate(self, rank, world_size):
        if rank == 1 and Path("fail").exists():
            raise ValueError(Path("fail").read_text() or "rank 1 was told to fail")
        for number in range(rank, 600, world_size):
            while rank == 1 and number > 300 and Path("wait").exists():
                time.sleep(0.02)
            yield Document(text=f"line {number % 500}", id=f"{number % 500:03d}", metadata={"path": str(number)})


class LinesBuilder(Builder):
    """Lines."""

    name, summary = "lines", "numbered lines"

    @property
    def features(self):
        from datasets import Features, Value  # here: the tasks of an array each import this module, and need neither

        return Features({"id": Value("string"), "text": Value("string"), "path": Value("string")})

    def stages(self):
        return [
            Stage("write_lines", [Lines()], tasks=self.config.num_tasks),
            Stage("deduplicate", [ExactDedup()], tasks=self.config.num_tasks),
        ]

    def card(self):
        return CardParts("Lines", "Lines with numbers.", license="unknown")


def main(output_dir: str, executor: str) -> None:
    config = load_config(
        BuilderConfig, None, [f"output_dir={output_dir}", "workers=2", "num_shards=2", f"executor={executor}"]
    )
    builder = LinesBuilder(config)
    builder.report = lambda line: print(line, file=sys.stderr, flush=True)
    try:
        builder.run()
    except (BuildError, ConfigError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(*sys.argv[1:])
