"""Section 2.4: base of the builders that ask teachers."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from datasets_builders.asking.asker import Asking
from datasets_builders.asking.budget import spent_in_step
from datasets_builders.asking.checks import check_form, check_teacher
from datasets_builders.asking.config import TeacherFields
from datasets_builders.asking.estimate import asking_steps, estimate_lines, first_questions
from datasets_builders.asking.preview import first_documents, rows_of, write_preview
from datasets_builders.building.builder import Builder
from datasets_builders.building.description import DatasetDescription
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
        asked = {step.name for step in asking_steps(self.stages())}
        for step in self.config.steps:
            if step not in asked:
                raise ConfigError(f"steps: no step {step!r} that asks; there is {', '.join(sorted(asked))}")

    def check_teachers(self) -> None:
        """Raise `ConfigError` when a teacher is not there, wants another key, or has other models."""
        for teacher in self.asking.teachers:
            check_teacher(teacher)

    def validate(self) -> list[str]:
        """Check inputs, teachers, prompts and columns without asking anything; return what was found, a line each.

        Raises:
            ConfigError: something cannot be used.
        """
        self.check()
        self.check_teachers()
        lines = [f"teacher     {teacher.called} is there" for teacher in self.asking.teachers]
        found = first_questions(self.stages())
        if not found.num_documents:
            raise ConfigError(f"nothing comes to {found.step.name}, the first step that asks; check the input")
        lines.append(f"prompts     those of {found.step.name} can be rendered")
        for request in found.requests:
            check_form(request)
        lines.append(f"columns     {', '.join(self.features.arrow_schema.names)}")
        return lines

    def preview(self, num_rows: int) -> Path:
        """Finish the first rows and write them as a page; what is answered for them is not asked again by the build.

        Args:
            num_rows (`int`): documents that go into each step that asks.

        Returns:
            `Path`: of the page, in a folder beside the dataset's.
        """
        folder = self.output_folder.with_name(f"{self.output_folder.name}.preview")
        shutil.rmtree(folder, ignore_errors=True)
        config = replace(
            self.config, output_dir=str(folder), answers_dir=self.asking.folder, num_tasks=1, workers=1, num_shards=1
        )
        previewed = type(self)(config)
        previewed.check()
        previewed.check_teachers()
        stages = previewed.stages()
        documents = first_documents(stages, num_rows, folder)[:num_rows]
        rows = rows_of(documents, self.features, self.id_column, self.text_column)
        return write_preview(folder, f"{self.name}: the first rows", rows, stages)

    def plan(self) -> list[str]:
        """Return the lines of `--dry-run`, with prompts and an estimate of what asking takes."""
        return [*super().plan(), *estimate_lines(self.stages())]

    def inputs(self) -> list[str]:
        """Return a line per input and per teacher."""
        told = [f"teacher {teacher.called}, weight {teacher.weight:g}" for teacher in self.asking.teachers]
        return [*super().inputs(), *told]

    def _run_stages(self, stages: list[Stage], state: BuildState) -> None:
        try:
            self.check_teachers()
        except ConfigError as error:
            # All that is asked may have been answered: then nobody needs the teacher.
            if not any(Path(self.asking.folder).glob("*/*.jsonl")):
                raise
            self.report(f"{error}; going on with what was answered")
        super()._run_stages(stages, state)

    def _description(self) -> DatasetDescription:
        description = super()._description()
        asked = {"Teachers": self._teachers_section(), "What was asked": self._asked_section()}
        description.parts.sections = {**asked, **description.parts.sections}
        return description

    def _teachers_section(self) -> str:
        """Return, as Markdown, who was asked; not where they stand or what they cost."""
        lines = ["| teacher | weight | temperature | top_p | max_tokens |", "| --- | --- | --- | --- | --- |"]
        lines += [
            f"| {teacher.called} | {teacher.weight:g} | {_or_its_own(teacher.temperature)} | "
            f"{_or_its_own(teacher.top_p)} | {teacher.max_tokens} |"
            for teacher in self.asking.teachers
        ]
        return "\n".join(lines)

    def _asked_section(self) -> str:
        """Return, as Markdown, how much was asked, earlier builds with the same answers included."""
        lines = ["| step | answers | tokens of questions | tokens of answers |", "| --- | --- | --- | --- |"]
        for step in asking_steps(self.stages()):
            spent = spent_in_step(Path(self.asking.folder) / step.name)
            lines.append(
                f"| `{step.name}` | {spent.requests:,} | {spent.prompt_tokens:,} | {spent.completion_tokens:,} |"
            )
        return "\n".join(lines)


def _or_its_own(value: float | None) -> str:
    return "the server's" if value is None else f"{value:g}"
