"""Section 2.4: teachers that are started here: vLLM or SGLang, by datatrove's server classes, one for each process.

A server lives as long as the process that started it, over the steps and ranks that run in it: to load a model takes
minutes. When the process is killed, so is the server.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib.util
import os
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets_builders.asking.teacher import Teacher
from datasets_builders.building.errors import ConfigError

if TYPE_CHECKING:
    from datatrove.pipeline.inference.servers import InferenceServer

SERVERS = ("vllm", "sglang")
# Fields of datatrove's InferenceConfig; all others are flags of the server's command.
PARALLELISM = ("tp", "dp", "pp")
MAX_MODEL_LEN = 8192
START_SECONDS, READY_SECONDS = 600.0, 3600
STOP_SECONDS = 20
# The server is no child that the kernel could end with its parent: another process starts it for datatrove.
_GUARD = "while kill -0 $0 2>/dev/null; do sleep 1; done; kill $1"
_running: dict[str, SpawnedServer] = {}


def check_spawned(teacher: Teacher) -> None:
    """Raise `ConfigError` when the server that a teacher wants cannot be started here."""
    kind = teacher.spawn.get("server")
    if kind not in SERVERS:
        raise ConfigError(f"teacher {teacher.called}: spawn names no server; give server: vllm or server: sglang")
    if importlib.util.find_spec(str(kind)) is None:
        raise ConfigError(
            f"teacher {teacher.called}: {kind} is not installed here; install it (pip install {kind}), or start it "
            "elsewhere and give its base_url"
        )


def with_server(teacher: Teacher, log_folder: Path) -> Teacher:
    """Return a teacher with the address of its server, which is started unless this process has it already.

    Args:
        teacher (`Teacher`): one with a `base_url` stays as it is.
        log_folder (`Path`): for the server's words.

    Raises:
        ConfigError: the server cannot be started here.
    """
    if not teacher.spawn:
        return teacher
    check_spawned(teacher)
    key = f"{teacher.model} {sorted(teacher.spawn.items())}"
    if key not in _running:
        _running[key] = SpawnedServer(teacher, log_folder)
        atexit.register(_running[key].stop)
    return replace(teacher, base_url=_running[key].base_url, spawn={})


class SpawnedServer:
    """A server that runs beside this process; made when it is ready.

    Args:
        teacher (`Teacher`): with what `spawn` says.
        log_folder (`Path`): for the server's words.

    Raises:
        ConfigError: it did not get ready.
    """

    def __init__(self, teacher: Teacher, log_folder: Path) -> None:
        self._teacher, self._log_folder = teacher, log_folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"{teacher.called} serves", daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(READY_SECONDS)
        except Exception as error:
            self.stop()
            raise ConfigError(
                f"teacher {teacher.called}: its server did not start ({error}); what it said is in {log_folder}"
            ) from error
        self.base_url = f"{self._server.get_base_url()}/v1"

    async def _start(self) -> None:
        self._server = _server_of(self._teacher, self._log_folder)
        await self._server.__aenter__()
        await self._server._server_ready
        process = self._server._server_process
        if process is not None:
            self._guard = subprocess.Popen(
                ["sh", "-c", _GUARD, str(os.getpid()), str(process.pid)], start_new_session=True
            )

    def stop(self) -> None:
        """Stop the server."""
        if not self._loop.is_running():
            return
        if hasattr(self, "_server"):
            leaving = self._server.__aexit__(None, None, None)
            asyncio.run_coroutine_threadsafe(leaving, self._loop).result(STOP_SECONDS)
        if hasattr(self, "_guard"):
            self._guard.kill()
            self._guard.wait()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECONDS)


def _server_of(teacher: Teacher, log_folder: Path) -> InferenceServer:
    from datatrove.pipeline.inference.run_inference import InferenceConfig
    from datatrove.pipeline.inference.servers import SGLangServer, VLLMServer

    flags: dict[str, Any] = {name.replace("_", "-"): value for name, value in teacher.spawn.items()}
    kind = flags.pop("server")
    config = InferenceConfig(
        server_type=kind,
        model_name_or_path=teacher.model,
        model_max_context=flags.pop("max-model-len", MAX_MODEL_LEN),
        **{name: flags.pop(name) for name in PARALLELISM if name in flags},
        model_kwargs=flags,
        server_log_folder=str(log_folder),
        server_start_timeout_sec=START_SECONDS,
        server_ready_max_attempts=READY_SECONDS,
        server_ready_delay_sec=1.0,
        server_start_max_retries=0,
    )
    return VLLMServer(config, rank=0) if kind == "vllm" else SGLangServer(config, rank=0)
