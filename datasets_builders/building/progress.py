"""The progress bar of a stage: documents done, fed by small files, since the work may be in other processes."""

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

REFRESH_SECONDS = 0.3


class ProgressMarker(PipelineStep):
    """Count the documents that pass and write the count to a file, a few times a second."""

    name = "progress"
    type = "PROGRESS"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = str(folder)

    def run(self, data: Iterable[Document] | None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Pass all documents on."""
        path = Path(self.folder) / f"{rank:05d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        count, due = 0, time.monotonic() + REFRESH_SECONDS
        for doc in data or ():
            yield doc
            count += 1
            if time.monotonic() > due:
                path.write_text(str(count))
                due = time.monotonic() + REFRESH_SECONDS
        path.write_text(str(count))


@contextmanager
def progress_bar(description: str, folder: Path, total: int | None) -> Iterator[None]:
    """Show a bar on a terminal while the body runs; elsewhere nothing.

    Args:
        description (`str`): what is being done.
        folder (`Path`): where the `ProgressMarker`s write.
        total (`int`, *optional*): documents expected.
    """
    if not sys.stderr.isatty():
        yield
        return
    from tqdm import tqdm

    stop = threading.Event()
    with tqdm(desc=description, total=total, unit=" docs", leave=False) as bar:

        def follow() -> None:
            while not stop.wait(REFRESH_SECONDS):
                bar.n = _done(folder)
                bar.refresh()

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _done(folder: Path) -> int:
    done = 0
    for path in folder.glob("*"):
        text = path.read_text() if path.exists() else ""
        done += int(text) if text.isdigit() else 0
    return done
