"""The progress bar of a stage: documents done, fed by small files, since the work may be in other processes."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from datatrove.data import Document

from datasets_builders.building.document_step import Documents, DocumentStep

REFRESH_SECONDS = 0.3
WORDS_SECONDS, LINE_SECONDS = 3.0, 60.0


class ProgressMarker(DocumentStep):
    """Count the documents that pass and write the count to a file, a few times a second."""

    name = "progress"
    type = "PROGRESS"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = str(folder)

    def pass_on(self, data: Iterable[Document] | None, rank: int = 0, world_size: int = 1) -> Documents:
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
def progress_bar(
    description: str,
    folder: Path,
    total: int | None,
    told: Sequence[Callable[[], str]] = (),
    report: Callable[[str], None] = print,
) -> Iterator[None]:
    """Show a bar on a terminal while the body runs; elsewhere a line a minute.

    Args:
        description (`str`): what is being done.
        folder (`Path`): where the `ProgressMarker`s write.
        total (`int`, *optional*): documents expected.
        told (sequence of functions): give what steps tell of their work, or nothing.
        report (function): is given the lines.
    """
    stop = threading.Event()
    started = time.monotonic()

    def words() -> str:
        return "; ".join(filter(None, (tell() for tell in told)))

    def follow_bar() -> None:
        due = 0.0
        while not stop.wait(REFRESH_SECONDS):
            bar.n = _done(folder)
            if time.monotonic() > due:
                bar.set_postfix_str(words(), refresh=False)
                due = time.monotonic() + WORDS_SECONDS
            bar.refresh()

    def follow_in_lines() -> None:
        words()  # from here on steps count
        while not stop.wait(LINE_SECONDS):
            said = [f"{_done(folder):,} documents{_rate(folder, started)}", words(), _time_left(folder, total, started)]
            report(f"{description}: {'; '.join(filter(None, said))}")

    if sys.stderr.isatty():
        from tqdm import tqdm

        shown: Any = tqdm(desc=description, total=total, unit=" docs", leave=False)
        follow = follow_bar
    else:
        shown, follow = nullcontext(), follow_in_lines
    with shown as bar:
        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _time_left(folder: Path, total: int | None, started: float) -> str:
    done = _done(folder)
    if not total or not done:
        return ""
    seconds = (time.monotonic() - started) * max(0, total - done) / done
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"about {hours} h {minutes} min left of {total:,} documents"


def _rate(folder: Path, started: float) -> str:
    seconds = time.monotonic() - started
    return f", {_done(folder) / seconds:,.0f} a second" if seconds > 0 else ""


def _done(folder: Path) -> int:
    done = 0
    for path in folder.glob("*"):
        text = path.read_text() if path.exists() else ""
        done += int(text) if text.isdigit() else 0
    return done
