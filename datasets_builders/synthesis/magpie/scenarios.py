"""Section 2.4.1: the six kinds of conversations about code, each named to the model by a system prompt of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from string import Template

from datasets_builders.building.errors import ConfigError
from datasets_builders.languages.detection import language_named, type_of_language

PROMPT_FOLDER = Path(__file__).with_name("prompts")
# In the paper's order; whether the user's message must show code, without which nothing can be asked about it.
SCENARIOS: dict[str, bool] = {
    "text_to_code": False,
    "test_generation": True,
    "explanation": True,
    "repair": True,
    "refactoring": True,
    "execution_prediction": True,
}
NATURAL_LANGUAGES = ("en", "zh")
DEFAULT_LANGUAGES = {
    "Python": 6.0, "Java": 3.0, "JavaScript": 3.0, "C++": 3.0, "TypeScript": 2.0, "Go": 2.0, "SQL": 2.0, "C": 2.0,
    "C#": 2.0, "Rust": 1.0, "PHP": 1.0, "Shell": 1.0, "Kotlin": 1.0, "Ruby": 1.0, "Swift": 1.0, "Scala": 0.5,
    "Lua": 0.5, "R": 0.5, "Dart": 0.5, "Perl": 0.5, "HTML": 0.5,
}  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """One kind of conversation.

    Args:
        name (`str`): one of `SCENARIOS`.
        language (`str`): programming language, by Linguist's name.
        natural_language (`str`): `en` or `zh`.
    """

    name: str
    language: str
    natural_language: str

    @property
    def needs_code(self) -> bool:
        """Whether the user's message must show code."""
        return SCENARIOS[self.name]

    @property
    def system_prompt(self) -> str:
        """What the model is told of the conversation."""
        return _prompt(self.name, self.natural_language).substitute(language=self.language)


@cache
def _prompt(name: str, natural_language: str) -> Template:
    path = PROMPT_FOLDER / f"{name}.{natural_language}.txt"
    return Template(path.read_text(encoding="utf-8").strip())


class ScenarioDraw:
    """Draws scenarios by their weights; the same number gives the same scenario, whatever else is drawn.

    Args:
        scenarios, languages, natural_languages (mapping): name to weight, above 0.
        seed (`int`): of the dataset.

    Raises:
        ConfigError: an unknown name, or weights that are not above 0.
    """

    def __init__(
        self,
        scenarios: Mapping[str, float],
        languages: Mapping[str, float],
        natural_languages: Mapping[str, float],
        seed: int = 0,
    ) -> None:
        _check("scenarios", scenarios, tuple(SCENARIOS))
        _check("natural_languages", natural_languages, NATURAL_LANGUAGES)
        for name in languages:
            if type_of_language(name) is None:
                raise ConfigError(f"languages: Linguist knows no {name!r}; did you mean {language_named(name)!r}?")
        _check("languages", languages, tuple(languages))
        self.scenarios, self.languages = dict(scenarios), dict(languages)
        self.natural_languages, self.seed = dict(natural_languages), seed

    def draw(self, number: int) -> Scenario:
        """Return the scenario of a number."""
        chance = Random(f"{self.seed}:{number}")
        name, language, natural = (
            chance.choices(list(weights), list(weights.values()))[0]
            for weights in (self.scenarios, self.languages, self.natural_languages)
        )
        return Scenario(name, language, natural)


def _check(field: str, weights: Mapping[str, float], known: Sequence[str]) -> None:
    if not weights:
        raise ConfigError(
            f"{field} is empty; give names with weights, such as {{{known[0] if known else 'Python'}: 1}}"
        )
    for name, weight in weights.items():
        if name not in known:
            raise ConfigError(f"{field}: unknown {name!r}; known: {', '.join(known)}")
        if not weight > 0:
            raise ConfigError(f"{field}: the weight of {name} is {weight}, but must be above 0; leave it out for none")
