"""Section 2.3: the steps from git repositories to commits as edits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from datatrove.data import Document

from datasets_builders.building.identity import content_id
from datasets_builders.building.steps import Outcome, Reader, Removed, Step
from datasets_builders.code_related.commits.history import Change, History
from datasets_builders.code_related.commits.relevance import Relevance
from datasets_builders.code_related.commits.rendering import changed_lines, render_task
from datasets_builders.code_related.commits.rules import clean_message, is_bot, message_problem
from datasets_builders.languages.detection import candidates_of_name
from datasets_builders.sources.encodings import decode
from datasets_builders.sources.entry import rank_of
from datasets_builders.sources.git_trees import GitSource

if TYPE_CHECKING:
    from dulwich.repo import Repo

# Between prompt and completion while both are one text, so that they are sanitised alike.
BETWEEN = "\x1e\n"


@dataclass(frozen=True)
class CommitLimits:
    """Which commits are taken, and what is shown.

    Args:
        min_commits, min_days (`int`): of a repository's history.
        max_commits (`int`): of a repository, the newest; 0 takes all.
        max_changed_files, max_changed_lines (`int`): of a commit.
        num_files (`int`): relevant files that are shown, beside the changed ones.
        max_file_bytes (`int`): larger files are neither shown nor compared.
    """

    min_commits: int = 0
    min_days: int = 0
    max_commits: int = 0
    max_changed_files: int = 5
    max_changed_lines: int = 300
    num_files: int = 5
    max_file_bytes: int = 30_000


class CommitReader(Reader):
    """Read the commits of git repositories; a repository is read by one rank.

    Args:
        sources (sequence of `GitSource`): the repositories, each at its revision.
        limits (`CommitLimits`): which commits are taken.
    """

    name = "read_commits"
    libraries = ("dulwich", "faust-cchardet")

    def __init__(self, sources: Sequence[GitSource], limits: CommitLimits) -> None:
        super().__init__()
        self.sources, self.limits = list(sources), limits

    def begin(self, rank: int, world_size: int) -> None:
        """Start without an open repository."""
        self._repo: Repo | None = None

    def end(self) -> None:
        """Close the repository."""
        if self._repo is not None:
            self._repo.close()
            self._repo = None

    def list_documents(self, rank: int, world_size: int) -> Iterable[Document]:
        """List the commits of this rank's repositories, newest first."""
        from dulwich.repo import Repo

        for source in self.sources:
            if rank_of(source.repository, world_size) != rank:
                continue
            self.end()
            self._repo = Repo(source.path)
            self._history = History(self._repo, source.commit, self.limits.max_file_bytes)
            self._relevance = Relevance(self._history.text_of)
            known = {"repository": source.repository, "license": source.licenses().of_all, "repository_url": source.url}
            commits = list(self._history.commits())
            days = (commits[0].commit_time - commits[-1].commit_time) / 86400
            if len(commits) < self.limits.min_commits or days < self.limits.min_days:
                problem = f"{len(commits)} commits in {days:.0f} days"
                yield Document("", source.commit, metadata={**known, "problem": problem})
                continue
            for commit in commits[: self.limits.max_commits or None]:
                yield Document("", commit.id.decode("ascii"), metadata={**known, "object": commit})

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Turn one commit into a task, or remove it with the reason."""
        if "problem" in doc.metadata:
            yield Removed(doc, "young_repository", doc.metadata.pop("problem"))
            return
        commit = doc.metadata.pop("object")
        message = clean_message(_message_of(commit))
        doc.text = message
        if len(commit.parents) != 1:
            yield Removed(doc, "merge_commit" if commit.parents else "root_commit")
        elif is_bot(commit.author.decode("utf-8", "replace")):
            yield Removed(doc, "bot")
        elif problem := message_problem(message):
            yield Removed(doc, "message", problem)
        else:
            try:
                yield self._task(doc, commit, message)
            except KeyError:
                yield Removed(doc, "missing_object", "a shallow or damaged repository")

    def _task(self, doc: Document, commit: Any, message: str) -> Outcome:
        limits, history = self.limits, self._history
        all_changes = history.changes(commit)
        if len(all_changes) > limits.max_changed_files:
            return Removed(doc, "too_many_files", str(len(all_changes)))
        changes = [change for change in all_changes if not change.problem and _says_something(change)]
        if not changes:
            problems = sorted({change.problem for change in all_changes if change.problem})
            return Removed(doc, "no_text", ", ".join(problems))
        num_lines = sum(map(changed_lines, changes))
        if num_lines > limits.max_changed_lines:
            return Removed(doc, "too_large", f"{num_lines} lines")
        before = history.files(history.tree_before(commit))
        readme = next((path for path in sorted(before) if _is_readme(path)), None)
        # What was changed is shown too, among what the message seems to be about, without a hint which it is.
        ranked = self._relevance.ranked(message, before, limits.num_files)
        changed = {change.old_path or change.path for change in changes}
        shown = sorted({*ranked, *(path for path in changed if path in before)} - {readme})
        files = [(path, text) for path in shown if (text := history.text_of(before[path]))]
        task = render_task(
            doc.metadata["repository"],
            message,
            (history.text_of(before[readme]) or "") if readme else "",
            sorted(before),
            files,
            changes,
        )
        doc.text = BETWEEN.join(part.replace("\x1e", "") for part in (task.prompt, task.completion))
        doc.id = content_id(doc.text)
        languages = sorted({names[0] for change in changes if (names := candidates_of_name(change.path))})
        doc.metadata |= {
            "commit": commit.id.decode("ascii"),
            "date": datetime.fromtimestamp(commit.commit_time, UTC).isoformat(),
            "path": changes[0].path,
            "changed_paths": [change.path for change in changes],
            "languages": languages,
            "num_changed_lines": num_lines,
            "num_left_out": len(all_changes) - len(changes),
            "quality": None,
        }
        return doc


class FillCommits(Step):
    """Fill in the columns of a commit, when its text is what it will be."""

    name = "fill_commits"

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Take prompt and completion apart."""
        prompt, _, completion = doc.text.partition(BETWEEN)
        doc.text = prompt + completion
        doc.metadata |= {"prompt": prompt, "completion": completion}
        doc.metadata["num_bytes"] = len(doc.text.encode("utf-8", "replace"))
        yield doc


def _message_of(commit: Any) -> str:
    """Return the message, in the encoding that the commit names, else in UTF-8 or what it seems to be."""
    raw: bytes = commit.message
    for name in ((commit.encoding or b"utf-8").decode("ascii", "replace"), "utf-8"):
        try:
            return raw.decode(name)
        except (LookupError, UnicodeDecodeError):
            continue
    decoded = decode(raw)
    return decoded[0] if decoded else raw.decode("utf-8", "replace")


def _says_something(change: Change) -> bool:
    """Return whether more changes than white space."""
    before, after = ("".join((text or "").split()) for text in (change.before, change.after))
    return before != after


def _is_readme(path: str) -> bool:
    return "/" not in path and PurePosixPath(path).name.lower().startswith("readme")


def repositories_of(patterns: Sequence[str], revision: str, license: str) -> list[GitSource]:
    """Return the repositories that patterns name, each once, sorted.

    Args:
        patterns (sequence of `str`): folders with `.git` in them or bare ones; may hold `*`.
        revision (`str`): branch, tag or commit of each.
        license (`str`): SPDX name; empty: what the files say.

    Raises:
        ConfigError: one is no repository, or has no such revision.
    """
    import glob

    expanded = (str(Path(pattern).expanduser()) for pattern in patterns)
    names = {str(Path(name).absolute()) for pattern in expanded for name in glob.glob(pattern)}  # noqa: PTH207
    return [GitSource(Path(name), revision, license=license) for name in sorted(names) if Path(name).is_dir()]
