'''Section 2: the framework of the builders.

A whole builder:

    @dataclass
    class ShoutConfig(BuilderConfig):
        input_file: str = field(default="", metadata={"help": "text file, one document per line"})

    class Lines(Reader):                      # step classes live at module level: they travel to workers
        """Read the lines of a file."""
        name = "lines"
        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path
        def list_documents(self, rank, world_size):
            for number, line in enumerate(Path(self.path).read_text().splitlines()):
                if number % world_size == rank:
                    yield Document(text=line, id=f"{number:08d}", metadata={"path": self.path})
        def process(self, doc):
            yield doc if doc.text.strip() else Removed(doc, "empty")

    class Shout(Step):
        """Write in capitals."""
        name, arity = "shout", "1:1"
        def process(self, doc):
            doc.text = doc.text.upper()
            yield doc

    class ShoutBuilder(Builder[ShoutConfig]):
        name, summary, config_class = "shout", "capital lines", ShoutConfig
        @property
        def features(self):
            return Features({"id": Value("string"), "text": Value("string"), "path": Value("string")})
        def stages(self):
            return [Stage("read", [Lines(self.config.input_file), Shout()], tasks=self.config.num_tasks)]
        def card(self):
            return CardParts("Shouted lines", "One line per row.", license=self.config.license or "unknown")

    result = ShoutBuilder(ShoutConfig(output_dir="outputs/shout", input_file="lines.txt")).run()

A document's `metadata["split"]` chooses its split ("train" when absent). A 1:n step gives its input's id to the first
document or new ids to all: parents are filled in. With `workers` above 1 in a script of your own, call `run()` under
`if __name__ == "__main__":`.
'''

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets_builders.building.builder import Builder
    from datasets_builders.building.config import BuilderConfig, load_config
    from datasets_builders.building.description import CardParts
    from datasets_builders.building.errors import BuildError, ConfigError
    from datasets_builders.building.stages import BuildResult, Stage
    from datasets_builders.building.steps import Generator, Merged, Reader, Removed, Step

# Name -> the module that defines it, imported when the name is asked for: training reads configurations and errors of
# this package where datatrove need not be installed.
_MODULES = {
    "BuildError": "errors",
    "BuildResult": "stages",
    "Builder": "builder",
    "BuilderConfig": "config",
    "CardParts": "description",
    "ConfigError": "errors",
    "Generator": "steps",
    "Merged": "steps",
    "Reader": "steps",
    "Removed": "steps",
    "Stage": "stages",
    "Step": "steps",
    "load_config": "config",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


__all__ = [
    "BuildError",
    "BuildResult",
    "Builder",
    "BuilderConfig",
    "CardParts",
    "ConfigError",
    "Generator",
    "Merged",
    "Reader",
    "Removed",
    "Stage",
    "Step",
    "load_config",
]
