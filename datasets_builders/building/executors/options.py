"""Options of `executor` in a builder's config, by kind. datatrove's names are kept where it has one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.strict_fields import checked_fields

# Options of sbatch that the driver chooses, or that would leave it without the id, the queue or the folder of a job.
RESERVED_SBATCH_ARGS = (
    "array",
    "chdir",
    "clusters",
    "dependency",
    "error",
    "export",
    "job-name",
    "output",
    "parsable",
    "quiet",
    "test-only",
    "wait",
    "wrap",
)


@dataclass
class ExecutorOptions:
    """Options of one kind of executor."""

    kind: str = ""
    executor: ClassVar[str] = ""  # module:Class of the executor that takes these options
    # Whether a driver waits for the jobs that a killed one left behind.
    waits_for_jobs: ClassVar[bool] = False

    def validate(self) -> None:
        """Raise `ConfigError` for a value that cannot be."""

    def check_positive(self, *names: str) -> None:
        """Raise `ConfigError` for one of these numbers that is not above 0."""
        for name in names:
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"executor: {name} is {getattr(self, name)}, but must be above 0")


@dataclass
class LocalOptions(ExecutorOptions):
    """Processes on this machine, `workers` at once."""

    kind: str = "local"
    executor: ClassVar[str] = "datasets_builders.building.executors.local:LocalExecutor"


@dataclass
class SlurmOptions(ExecutorOptions):
    """Job arrays of Slurm, a task per part, `workers` at once.

    Args:
        partition, qos, account (`str`): as of sbatch; empty: the cluster's default, but a partition must be named.
        time (`str`): limit of a task, `HH:MM:SS`.
        cpus_per_task, mem_per_cpu_gb (`int`): of a task; a step uses one processor and its children's.
        max_array_size (`int`): tasks of one array, as the cluster allows (`scontrol show config`, MaxArraySize).
        tasks_per_job (`int`): parts that a task of the array runs one after another.
        env_command (`str`): shell line that makes `python` the right one on the nodes.
        venv_path (`str`): or a virtual environment; by default the driver's own interpreter, by its path.
        mail_user, mail_type (`str`): as of sbatch.
        sbatch_args (dict): any more options of sbatch, without the hyphens: {constraint: skylake, exclusive: true};
            a flag is true, and what is false or null is left out; `requeue: false` asks for no-requeue.
        poll_seconds (`float`): between two looks at the queue.

    Source: datatrove's SlurmPipelineExecutor; defaults are ours.
    """

    kind: str = "slurm"
    partition: str = ""
    time: str = ""
    cpus_per_task: int = 1
    mem_per_cpu_gb: int = 4
    max_array_size: int = 1001
    tasks_per_job: int = 1
    qos: str = ""
    account: str = ""
    env_command: str = ""
    venv_path: str = ""
    mail_user: str = ""
    mail_type: str = "FAIL"
    sbatch_args: dict[str, Any] = field(default_factory=dict)
    poll_seconds: float = 15.0
    executor: ClassVar[str] = "datasets_builders.building.executors.slurm:SlurmExecutor"
    waits_for_jobs: ClassVar[bool] = True

    def validate(self) -> None:
        """Check that what sbatch needs is there, and what the driver chooses itself is not."""
        for name in ("partition", "time"):
            if not getattr(self, name):
                raise ConfigError(
                    f"executor of kind slurm needs {name!r}, such as {{partition: cpu, time: '04:00:00'}}"
                )
        if self.env_command and self.venv_path:
            raise ConfigError("executor: env_command and venv_path are both set; give one")
        _check_sbatch_args(self.sbatch_args)
        self.check_positive("cpus_per_task", "mem_per_cpu_gb", "max_array_size", "tasks_per_job", "poll_seconds")


@dataclass
class RayOptions(ExecutorOptions):
    """Tasks of Ray, a task per part, `workers` at once.

    Args:
        address (`str`): of the cluster, such as `auto`; empty: RAY_ADDRESS, else Ray is started on this machine.
        cpus_per_task, mem_per_cpu_gb (number): that Ray sets aside for a task.
        max_retries (`int`): of a task whose worker died; -1 for any number.
        ray_remote_kwargs (dict): any more options of `ray.remote`: {scheduling_strategy: SPREAD}.

    Source: datatrove's RayPipelineExecutor; defaults are ours.
    """

    kind: str = "ray"
    address: str = ""
    cpus_per_task: int = 1
    mem_per_cpu_gb: float = 2.0
    max_retries: int = 3
    ray_remote_kwargs: dict[str, Any] = field(default_factory=dict)
    executor: ClassVar[str] = "datasets_builders.building.executors.ray:RayExecutor"

    def validate(self) -> None:
        """Check ranges, and that the driver gets an answer per task."""
        if self.max_retries < -1:
            raise ConfigError(f"executor: max_retries is {self.max_retries}, but must be at least -1 (any number)")
        if "num_returns" in self.ray_remote_kwargs:
            raise ConfigError("executor: ray_remote_kwargs sets num_returns, which the driver needs to be 1")
        self.check_positive("cpus_per_task", "mem_per_cpu_gb")


KINDS: dict[str, type[ExecutorOptions]] = {"local": LocalOptions, "slurm": SlurmOptions, "ray": RayOptions}


def executor_options(values: Mapping[str, Any]) -> ExecutorOptions:
    """Return the options that a config gives.

    Raises:
        ConfigError: unknown kind or option, wrong type, or a needed option is missing.
    """
    kind = values.get("kind")
    if kind not in KINDS:
        raise ConfigError(f"executor kind is {kind!r}; known: {', '.join(KINDS)}")
    options = KINDS[kind](**checked_fields(KINDS[kind], dict(values), f"executor of kind {kind}"))
    options.validate()
    return options


def _check_sbatch_args(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        # sbatch takes the beginning of an option's name for the option.
        if any(reserved.startswith(str(name)) for reserved in RESERVED_SBATCH_ARGS):
            raise ConfigError(f"executor: sbatch_args sets {name!r}, which the driver of the build sets itself")
        if not isinstance(value, str | int | float | None):
            raise ConfigError(
                f"executor: sbatch_args has {name!r}: {value!r}, but a value is a text, a number, true, false or null"
            )
