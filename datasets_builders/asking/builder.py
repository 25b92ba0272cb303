"""Section 2.4: base of the builders that ask teachers."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from datasets_builders.asking.asker import Asking
from datasets_builders.asking.config import TeacherFields
from datasets_builders.asking.step import Ask
from datasets_builders.asking.teacher import check_teacher
from datasets_builders.building.builder import Builder
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.stages import Stage
from datasets_builders.building.state import BuildState

AskingConfig = TypeVar("AskingConfig", bound=TeacherFields)


class AskingBuilder(Builder[AskingConfig]):
    """Base of the builders that ask teachers; beside another base, such as `DerivedBuilder`, it stands first."""

    config: AskingConfig

    @property
    def asking(self) -> Asking:
        """Who is asked, for the steps."""
        return self.config.asking(self.output_folder)

    def check(self) -> None:
        """Raise `ConfigError` when a teacher is missing, or a step that is named does not ask."""
        super().check()
        if not self.config.teachers:
            raise ConfigError(
                "teachers is empty; name at least one: teachers=[{model: NAME, base_url: http://HOST/v1}]"
            )
        asked = {step.name for stage in self.stages() for step in stage.pipeline if isinstance(step, Ask)}
        for step in self.config.steps:
            if step not in asked:
                raise ConfigError(
                    f"steps: this builder has no step {step!r} that asks; there is {', '.join(sorted(asked))}"
                )

    def check_teachers(self) -> None:
        """Raise `ConfigError` when a teacher is not there, wants another key, or has other models."""
        for teacher in self.asking.teachers:
            check_teacher(teacher)

    def _run_stages(self, stages: list[Stage], state: BuildState) -> None:
        try:
            self.check_teachers()
        except ConfigError as error:
            # All that is asked may have been answered: then nobody needs the teacher.
            if not any(self.answers_folder.glob("*/*.jsonl")):
                raise
            self.report(f"{error}; going on with what was answered")
        super()._run_stages(stages, state)

    def inputs(self) -> list[str]:
        """Return a line per input and per teacher."""
        told = [f"teacher {teacher.called}, weight {teacher.weight:g}" for teacher in self.asking.teachers]
        return [*super().inputs(), *told]

    @property
    def answers_folder(self) -> Path:
        """Where the answers lie."""
        return Path(self.asking.folder)
