"""Section 2: what every dataset builder shares: its stages run in order, its shards, its ledger and its card."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from datasets_builders.building.atomic import write_json
from datasets_builders.building.card import write_card
from datasets_builders.building.code_version import code_sha256
from datasets_builders.building.config import BuilderConfig, ConfigPerLanguageFields, ConfigType
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.description import CardParts, DatasetDescription
from datasets_builders.building.document_step import DocumentStep
from datasets_builders.building.errors import BuildError, ConfigError, NothingLeftError
from datasets_builders.building.executors.choice import cancel_other_jobs, executor_of_stage, prepare_executor
from datasets_builders.building.identity import digest
from datasets_builders.building.intermediate import ByKey, ByShard, StageReader, StageWriter
from datasets_builders.building.language_configs import (
    DEFAULT_SPLIT,
    LANGUAGE_COLUMN,
    ShardPlace,
    planned_shards,
    shared_out,
)
from datasets_builders.building.ledger import Ledger, StepCounts, read_ledger
from datasets_builders.building.progress import ProgressMarker, progress_bar
from datasets_builders.building.report import write_report
from datasets_builders.building.shards import ShardWriter
from datasets_builders.building.stages import BuildResult, Stage
from datasets_builders.building.state import BuildState, fingerprint
from datasets_builders.building.steps import Step
from datasets_builders.building.tagging import (
    ROW_ID,
    check_selection,
    is_tagging,
    selected_from,
    selecting_stages,
    tag_features,
    tagged_card,
    tagging_stages,
    write_tagged_file,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

    from datasets_builders.building.executors.ranks import RankExecutor

WRITE_STAGE = "write"


class Builder(Generic[ConfigType]):
    """Base of every builder: set the class attributes, define `features`, `stages` and `card`.

    Generic in its config: `class ShoutBuilder(Builder[ShoutConfig])` with `config_class = ShoutConfig`.
    """

    name: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    config_class: ClassVar[type[BuilderConfig]] = BuilderConfig
    id_column: ClassVar[str] = "id"
    text_column: ClassVar[str | None] = "text"
    # Column by which card and ledger count rows, such as "language"; None counts nothing.
    counted_column: ClassVar[str | None] = None

    def __init__(self, config: ConfigType) -> None:
        self.config = config
        if not config.output_dir:
            raise ConfigError("output_dir is not set; give it in the YAML file or as output_dir=FOLDER")
        self.output_folder = Path(config.output_dir).expanduser().absolute()
        self.report: Callable[[str], None] = lambda line: None

    @property
    def features(self) -> "Features":
        """Columns of the dataset. Besides `id_column` and `text_column` each is a key of the document's metadata."""
        raise TypeError(f"builder {self.name} must define features")

    def stages(self) -> list[Stage]:
        """Return what is run, in order; every call gives new steps."""
        raise TypeError(f"builder {self.name} must define stages()")

    @property
    def tagged_features(self) -> "Features":
        """Columns of a tagged dataset beside those of the tags, null where a document has nothing of that name."""
        return self.features

    def card(self) -> CardParts:
        """Return the builder's own words on the dataset card."""
        raise TypeError(f"builder {self.name} must define card()")

    def check(self) -> None:
        """Raise `ConfigError` when the inputs named in the config cannot be used; runs before anything is written."""

    def inputs(self) -> list[str]:
        """Return a line per input for `--dry-run` and the card."""
        return []

    def input_fingerprint(self) -> dict[str, Any]:
        """Return what identifies the inputs, as JSON; when it changes, a build starts over."""
        return {}

    def check_inputs(self) -> None:
        """Raise `ConfigError` when the inputs cannot be used, or a tagged dataset not be selected from as asked."""
        selected = selected_from(self.config)
        if selected:
            check_selection(selected, self.name)
            DatasetFolder(selected.tagged).check()
        self.check()

    def stages_of_mode(self) -> list[Stage]:
        """Return what is run: the stages, or what tagging or selecting makes of them."""
        selected = selected_from(self.config)
        if selected:
            return selecting_stages(self.stages(), selected.tagged, str(self.text_column))
        if is_tagging(self.config):
            return tagging_stages(self.stages(), self.id_column, list(self.tagged_features))
        return self.stages()

    @property
    def written_features(self) -> "Features":
        """Columns of what is written: those of the dataset, or of the tagged one."""
        if not is_tagging(self.config):
            return self.features
        from datasets import Features, Value

        return Features({ROW_ID: Value("string")} | self.tagged_features | tag_features(self.stages()))

    def _fingerprint_of_inputs(self) -> dict[str, Any]:
        selected = selected_from(self.config)
        tagged = {"tagged": DatasetFolder(selected.tagged).fingerprint()} if selected else {}
        return self.input_fingerprint() | tagged

    def run(self) -> BuildResult:
        """Build the dataset, continue an interrupted build, or find it finished.

        Returns:
            `BuildResult`: folder, rows per split and ledger.

        Raises:
            ConfigError: inputs or output folder cannot be used; nothing was written.
            BuildError: the build cannot go on.
            NothingLeftError: it would give no rows.
            OSError: the machine failed (disk full); the next run continues.
        """
        self.check_inputs()
        state = BuildState(self.output_folder)
        state.check_folder(self.name)
        stages = self.stages_of_mode()
        _check_names(stages)
        steps = [step for stage in stages for step in stage.pipeline]
        modules = {type(step).__module__ for step in steps}
        modules |= {name for step in steps if isinstance(step, Step) for name in step.preloaded}
        prepare_executor(self.config, self.output_folder, modules)
        schema = self.written_features.arrow_schema
        code = code_sha256(type(self))
        libraries = {name for step in steps if isinstance(step, Step) for name in step.libraries}
        current = fingerprint(
            self.name, self.config.fields_with_effect(), self._fingerprint_of_inputs(), code, libraries
        )
        with state.locked():
            cancel_other_jobs(self.config, state.folder, state.is_of(current))
            found = state.prepare(current)
            if found == "finished":
                self.report(f"{self.output_folder} is already built from the same config, input and code")
            elif found == "continue":
                self.report("continuing an interrupted build")
            elif found.startswith("changed"):
                self.report(f"{found} since the last build: starting over")
            try:
                if found != "finished":
                    write_json(state.plan_file, list(self._parts(stages).items()))
                    self._run_stages(stages, state)
                    shards = self._run_write_stage(stages[-1], schema, state)
                    self._complete(stages, shards, current, state)
            except BaseException:
                state.remove_temporary_files()  # of workers that were stopped in the middle
                raise
            return self._result(state, stages, found, current)

    def _run_stages(self, stages: list[Stage], state: BuildState) -> None:
        folder = state.folder / "stages"
        for number, stage in enumerate(stages):
            steps = list(stage.pipeline)
            if number > 0:
                buckets = [[f"{rank:05d}"] for rank in range(stage.tasks)]
                steps.insert(0, StageReader(folder / stages[number - 1].name, buckets))
            following = stages[number + 1] if number + 1 < len(stages) else None
            last = ByShard(self.config.num_shards, self._config_column())
            bucket_of = ByKey(following.tasks, following.key) if following else last
            steps.append(StageWriter(folder / stage.name, bucket_of))
            if stage.before:
                stage.before()
            given = read_ledger(state.folder, [stages[number - 1].name]).steps[-1:] if number else []
            counts = self._run_stage(stage.name, steps, stage.tasks, state, given[0].output if given else None)
            if not counts or counts[-1].output == 0:
                raise NothingLeftError(
                    _nothing_left(stage.name, read_ledger(state.folder, [stage.name for stage in stages]))
                )

    def _config_column(self) -> str | None:
        """Return the column whose values are configs of the dataset."""
        is_split = isinstance(self.config, ConfigPerLanguageFields) and self.config.config_per_language
        return LANGUAGE_COLUMN if is_split else None

    def _run_write_stage(self, last: Stage, schema: "pa.Schema", state: BuildState) -> list[ShardPlace]:
        folder = state.folder / "stages" / last.name
        planned = planned_shards(folder, self.config.num_shards)
        # As many ranks as files that hold all languages would be: hundreds of small ones are written in these.
        ranks = shared_out(planned, self.config.num_shards + len({shard.place.split for shard in planned}) - 1)
        id_column = ROW_ID if is_tagging(self.config) else self.id_column
        steps = [
            StageReader(folder, [[bucket for shard in rank for bucket in shard.buckets] for rank in ranks]),
            ShardWriter(
                self.output_folder / "data",
                ranks,
                ByShard(self.config.num_shards, self._config_column()),
                schema,
                id_column,
                self.text_column,
            ),
        ]
        total = read_ledger(state.folder, [last.name]).steps[-1].output
        write_json(state.plan_file, [*state.read(state.plan_file)[:-1], (WRITE_STAGE, len(ranks))])
        self._run_stage(WRITE_STAGE, steps, len(ranks), state, total)
        return [shard.place for shard in planned]

    def _run_stage(
        self, name: str, steps: Sequence[DocumentStep], tasks: int, state: BuildState, total: int | None
    ) -> list[StepCounts]:
        progress = state.folder / "progress" / name
        for index, step in enumerate(steps):
            if isinstance(step, Step):
                step.attach(name, index, state.folder, self.output_folder / "removed", self.counted_column)
        # Behind the first step, so that what a reader lists and what a stage is given is counted once.
        watched = [steps[0], ProgressMarker(progress), *steps[1:]]
        told = [step.progress for step in steps if isinstance(step, Step)]
        with progress_bar(f"{self.name}: {name}", progress, total, told, self.report):
            self._executor(name, watched, tasks).complete(self.report)
        counts = read_ledger(state.folder, [name]).steps
        if counts:
            lost = f"{sum(step.removed for step in counts)} removed, {sum(step.merged for step in counts)} merged"
            self.report(f"{name}: {counts[0].input + counts[0].created} in, {counts[-1].output} out, {lost}")
        return counts

    def _executor(self, stage: str, steps: Sequence[DocumentStep], tasks: int) -> "RankExecutor[Any]":
        folder = self.output_folder / ".build" / "executor" / stage
        return executor_of_stage(self.config, steps, tasks, folder, f"{self.name}-{stage}")

    def _complete(
        self, stages: list[Stage], shards: list[ShardPlace], current: dict[str, Any], state: BuildState
    ) -> None:
        ledger = read_ledger(state.folder, [*(stage.name for stage in stages), WRITE_STAGE])
        ledger.check()
        if ledger.steps[-1].output == 0:
            raise NothingLeftError(_nothing_left(WRITE_STAGE, ledger))
        write_json(self.output_folder / "ledger.json", ledger.as_dict())
        splits = sorted({place.split for place in shards}, key=lambda split: (split != DEFAULT_SPLIT, split))
        configs = {place.config: place.label for place in shards if place.config is not None}
        done = [step for stage in stages for step in stage.pipeline]
        summaries = {step.name: _summary(type(step)) for step in done} | {ShardWriter.name: _summary(ShardWriter)}
        if is_tagging(self.config):
            write_tagged_file(self.output_folder, self.name, self.config)
        dataset = replace(self._description(), configs=configs)
        num_rows = write_card(dataset, ledger, splits, current, summaries)
        write_report(dataset, ledger, num_rows)
        state.finish({"num_rows": num_rows})

    def _parts(self, stages: list[Stage]) -> dict[str, int]:
        """Return the number of parts of each stage, as far as it is known before the splits are."""
        return {stage.name: stage.tasks for stage in stages} | {WRITE_STAGE: self.config.num_shards}

    def _description(self) -> DatasetDescription:
        features, parts = self.written_features, self.card()
        if is_tagging(self.config):
            parts = tagged_card(parts, self.stages(), list(features))
        return DatasetDescription(
            builder=self.name,
            folder=self.output_folder,
            features=features,
            text_column=self.text_column,
            counted_column=self.counted_column,
            language=self.config.language,
            inputs=self.inputs(),
            parts=parts,
        )

    def _result(self, state: BuildState, stages: list[Stage], found: str, current: dict[str, Any]) -> BuildResult:
        ledger = read_ledger(state.folder, [*(stage.name for stage in stages), WRITE_STAGE])
        finished = state.read(state.finished_file) or {}
        return BuildResult(self.output_folder, finished["num_rows"], ledger, found, digest(current), current)

    def plan(self) -> list[str]:
        """Return the lines of `--dry-run`; reads the inputs' names only and writes nothing."""
        lines = [f"builder     {self.name}: {self.summary}"]
        lines += [f"input       {line}" for line in self.inputs()]
        lines += [f"config      {key}: {value!r}" for key, value in vars(self.config).items()]
        for stage in self.stages_of_mode():
            lines.append(
                f"stage       {stage.name} ({stage.tasks} tasks, {min(self.config.workers, stage.tasks)} workers)"
            )
            for step in stage.pipeline:
                arity = step.arity if isinstance(step, Step) else "?"
                lines.append(f"  step      {step.name} [{arity}] {_summary(type(step))}")
        for name, tasks in self._parts(self.stages_of_mode()).items():
            script = self._executor(name, [], tasks).script()
            lines += [f"script      {name}", *(f"  {line}" for line in script.splitlines())] if script else []
        lines.append(f"columns     {', '.join(self.written_features)}")
        last = self.config.num_shards - 1
        lines.append(f"output      {self.output_folder}/data/train_00000..{last:05d}_of_{last + 1:05d}.parquet")
        lines.append(f"output      {self.output_folder}/{{README.md,ledger.json,report.html,removed/,.build/}}")
        if (self.output_folder / "data").is_dir():
            lines.append(
                "output      holds a dataset: it stays when config, input and code are the same, else it is replaced"
            )
        return lines


def _summary(step: type) -> str:
    return (step.__doc__ or "").strip().partition("\n")[0]


def _check_names(stages: list[Stage]) -> None:
    names = [step.name for stage in stages for step in stage.pipeline if isinstance(step, Step)]
    names += [ShardWriter.name]
    stage_names = [stage.name for stage in stages] + [WRITE_STAGE]
    for kind, given in (("step", names), ("stage", stage_names)):
        twice = sorted({name for name in given if given.count(name) > 1})
        if twice:
            raise BuildError(f"two {kind}s of a builder are called {twice[0]!r}; names must be unique")


def _nothing_left(stage: str, ledger: Ledger) -> str:
    total = sum(step.input + step.created for step in ledger.steps[:1])
    reasons: dict[str, int] = {}
    for step in ledger.steps:
        for reason, count in step.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
    most = ", ".join(f"{reason}: {count}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1])[:6])
    return (
        f"nothing is left after stage {stage!r}: all {total} inputs were removed ({most or 'there were none'}). "
        "Check the input folder and the config; removed/ holds each with its reason"
    )
