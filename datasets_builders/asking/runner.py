"""Sections 2.1 and 2.4: ask about documents through datatrove's `InferenceRunner`, and nothing twice.

datatrove's own endpoint sends no key to a server on this machine, waits there without an end, looks for
`/v1/v1/models` elsewhere, and drops the model's name when it repeats a request. `OpenAIServer` is the client of OpenAI
in its place. What datatrove cannot save it only logs; `Asker` lets such an error end the run.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.inference.checkpointing import CheckpointManager
from datatrove.pipeline.inference.run_inference import InferenceConfig, InferenceRunner
from datatrove.pipeline.inference.servers import InferenceServer
from datatrove.pipeline.inference.types import InferenceError, ServerError
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.logging import logger
from tqdm import tqdm

from datasets_builders.asking.answers import BAD_REQUEST, Result, Rollout, encodable
from datasets_builders.asking.endpoint import Endpoint
from datasets_builders.building.errors import BuildError
from datasets_builders.building.identity import digest
from datasets_builders.building.state import locked
from evals.models.openai_server import api_key

RECORDS_PER_CHUNK = 1000
RESULTS_KEY = "rollout_results"


class AskingError(BuildError):
    """The server gives no answers; those that it gave are kept for the next run."""


def ask_all(
    documents: Sequence[Document], rollout: Rollout, endpoint: Endpoint, folder: Path, asked: Any
) -> Iterator[tuple[str, Result]]:
    """Ask about every document and give (id, result) of each, in no fixed order; a second run asks what is missing.

    Args:
        documents: with ids of their own.
        rollout (function): asks about one document, see `until_valid`.
        endpoint (`Endpoint`): what is asked.
        folder (`Path`): keeps the answers, in a folder per question and documents.
        asked (JSON): what identifies the question: prompt, parameters.

    Raises:
        AskingError: the server does not answer, or answers were lost; the same call goes on.
        BuildError: another process keeps its answers in the folder just now.
        OSError: answers cannot be written.
    """
    keys = [(doc.id, hashlib.sha256(doc.text.encode("utf-8", "replace")).hexdigest()) for doc in documents]
    found = folder / digest([endpoint.base_url, endpoint.model, endpoint.max_tokens, endpoint.temperature, asked, keys])
    with locked(folder / "lock", f"asking, with its answers in {folder}"):
        with tqdm(total=len(documents), desc=f"asking {endpoint.model}", unit="", disable=None) as progress:
            _run(Asker(rollout, endpoint, found, progress), documents, endpoint)
        missing = {doc.id for doc in documents}
        for identifier, result in _results(found / "answers"):
            missing.discard(identifier)
            yield identifier, result
    if missing:
        raise AskingError(f"{len(missing)} answers are missing from {found}; remove that folder and run again")


def _run(runner: Asker, documents: Sequence[Document], endpoint: Endpoint) -> None:
    logger.disable("datatrove")  # it would print a page of counters beside the progress bar
    failure: BaseException | None = None
    try:
        asyncio.run(_quietly(runner, documents))
    except ServerError as error:
        failure = AskingError(f"{endpoint.base_url}: {error.error}; the same command goes on where it stopped")
    except InferenceError as error:
        is_error = isinstance(error.error, BaseException)
        failure = error.error if is_error else AskingError(f"{endpoint.base_url}: {error.error}")
    finally:
        logger.enable("datatrove")
    if failure:
        # The tasks that failed beside the one that told go now, and not in the middle of whatever comes later: Python
        # 3.11's ast.parse does not bear their finalizers.
        gc.collect()
        raise failure


async def _quietly(runner: Asker, documents: Sequence[Document]) -> None:
    """Ask; of tasks whose errors nobody fetches, since the first one ends the run, nothing is printed."""
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    await runner.run_async(iter(documents))


def _results(folder: Path) -> Iterator[tuple[str, Result]]:
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                yield row["id"], row["metadata"][RESULTS_KEY][0]


class Asker(InferenceRunner):
    """datatrove's runner with our server, our progress, and errors where answers cannot be saved."""

    def __init__(self, rollout: Rollout, endpoint: Endpoint, folder: Path, progress: tqdm) -> None:
        config = InferenceConfig(
            server_type="endpoint",
            model_name_or_path=endpoint.model,
            endpoint_url=endpoint.base_url,
            default_generation_params={"max_tokens": endpoint.max_tokens, "temperature": endpoint.temperature},
            max_concurrent_generations=endpoint.concurrency,
        )
        writer = JsonlWriter(
            str(folder / "answers"), output_filename="${rank}_chunk_${chunk_index}.jsonl", compression=None
        )
        super().__init__(
            rollout,
            config,
            writer,
            checkpoints_local_dir=str(folder / "checkpoints"),
            records_per_chunk=RECORDS_PER_CHUNK,
            metadata_key=RESULTS_KEY,
        )
        self.endpoint = endpoint
        self.checkpoint_manager = CountingCheckpoints(
            str(folder / "checkpoints"), RECORDS_PER_CHUNK, request_cache=self.request_cache
        )
        self.checkpoint_manager.progress = progress

    def _init_server(self, rank: int) -> InferenceServer:
        return OpenAIServer(self.config, self.endpoint)

    async def _save_document(self, document: Document, writer: Any, rank: int, chunk_index: int, **_: Any) -> None:
        await self.checkpoint_manager.write_document(document, rank, chunk_index, writer)


class CountingCheckpoints(CheckpointManager):
    """datatrove's checkpoints; a bar shows how many documents are answered, by earlier runs too."""

    progress: tqdm

    async def parse_existing_checkpoints(self, rank: int, writer: Any) -> tuple[int, set[str]]:
        """Count what earlier runs left."""
        num_skipped, identifiers = await super().parse_existing_checkpoints(rank, writer)
        self.progress.update(min(num_skipped + len(identifiers), self.progress.total))
        return num_skipped, identifiers

    async def write_document(self, document: Document, rank: int, chunk_index: int, writer: Any) -> None:
        """Save and count a document."""
        await super().write_document(document, rank, chunk_index, writer)
        self.progress.update()


class OpenAIServer(InferenceServer):
    """A server that runs already, asked through the client of OpenAI, which waits and tries again by itself.

    Raises (from requests):
        ServerError: no answer after all tries, a wrong key, an unknown model: the run ends.
        InferenceError: the server refuses this one request.
    """

    def __init__(self, config: InferenceConfig, endpoint: Endpoint) -> None:
        import openai

        super().__init__(config, rank=0)
        self._is_master = True  # on any node of a cluster: nothing is started here
        self.client = openai.AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=api_key(endpoint.api_key_variable),
            max_retries=endpoint.tries - 1,
            timeout=endpoint.timeout_seconds,
        )
        self.tries = endpoint.tries

    async def start_server(self) -> None:
        """Start nothing."""

    async def monitor_health(self) -> None:
        """Watch nothing: a request tells."""
        await asyncio.Event().wait()

    async def is_ready(self) -> bool:
        """Return True: `check_endpoint` has looked."""
        return True

    async def _make_request(self, payload: Result) -> Result:
        import openai

        try:
            said = await self.client.chat.completions.create(**payload)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            raise InferenceError(None, f"{BAD_REQUEST}: {error}") from error
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            raise ServerError(f"{error}: check --model, the key, and that --base-url ends in /v1") from error
        except openai.OpenAIError as error:
            raise ServerError(f"no answer after {self.tries} tries ({error})") from error
        answer = encodable(said.model_dump()) if isinstance(said, openai.BaseModel) else {}
        if not answer.get("choices"):
            raise ServerError("what comes back is no chat completion; check that --base-url ends in /v1")
        return answer | {"usage": answer.get("usage") or {}}
