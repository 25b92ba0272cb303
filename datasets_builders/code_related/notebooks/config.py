"""Section 2.3.3: what a user may set for notebooks."""

from dataclasses import dataclass, field

from datasets_builders.building.config import ConfigPerLanguageFields
from datasets_builders.building.errors import ConfigError
from datasets_builders.code_related.config import TextFilesConfig
from datasets_builders.code_related.notebooks.rules import PRESETS
from datasets_builders.languages.detection import language_named

FORMS = ("script", "structured")
STYLES = ("markdown", "starcoder")


@dataclass
class NotebooksConfig(TextFilesConfig, ConfigPerLanguageFields):
    """Fields of `notebooks`."""

    max_bytes: int = field(default=20_000_000, metadata={"help": "larger files are removed unread; most is pictures"})
    form: str = field(
        default="script",
        metadata={"help": "script: code, text as comments; structured: text, code and output in turn"},
    )
    structured_style: str = field(
        default="markdown",
        metadata={"help": "how structured notebooks are written: in fences, or by StarCoder2's marks"},
    )
    preset: str = field(default="starcoder2", metadata={"help": f"which rules are applied: {', '.join(PRESETS)}"})
    languages: list[str] = field(
        default_factory=list, metadata={"help": "the only languages that are kept, by Linguist's names; empty: all"}
    )
    max_output_chars: int = field(default=2000, metadata={"help": "longer outputs are cut; 0 leaves them out"})

    def validate(self) -> None:
        """Check names and ranges."""
        super().validate()
        for name, known in (("form", FORMS), ("structured_style", STYLES), ("preset", tuple(PRESETS))):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, but must be one of {', '.join(known)}")
        for language in self.languages:
            if language_named(language) != language:
                near = language_named(language)
                hint = f"did you mean {near!r}?" if near else "names are such as 'Python', 'Julia', 'C++'"
                raise ConfigError(f"languages: Linguist knows no {language!r}; {hint}")
        if self.max_output_chars < 0:
            raise ConfigError(f"max_output_chars is {self.max_output_chars}, but must be at least 0")
