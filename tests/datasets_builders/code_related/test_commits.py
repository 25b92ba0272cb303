"""Commits as edits: a real git history, made with dulwich, and what becomes of each commit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset
from dulwich import porcelain
from dulwich.objects import Blob, Commit, Tree

from datasets_builders.building.errors import ConfigError
from datasets_builders.code_related.commits.builder import CommitsBuilder, CommitsConfig
from datasets_builders.code_related.commits.history import Change
from datasets_builders.code_related.commits.relevance import Relevance, words_of
from datasets_builders.code_related.commits.rendering import changed_lines, render_task
from datasets_builders.code_related.commits.rules import clean_message, is_bot, message_problem

ANN = b"Ann <ann@company.com>"


class Project:
    """A repository that is written file by file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.repo = porcelain.init(str(folder))
        self.time = 1_600_000_000

    def commit(self, message: str, author: bytes = ANN, **files: str | bytes | None) -> str:
        """Write files (double underscores are dots, None deletes) and commit them."""
        for name, content in files.items():
            path = self.folder / name.replace("__", ".")
            if content is None:
                porcelain.remove(self.repo, [str(path)])
                continue
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            porcelain.add(self.repo, [str(path)])
        self.time += 86_400
        made: bytes = porcelain.commit(
            self.repo,
            message=message.encode(),
            author=author,
            committer=author,
            author_timestamp=self.time,
            commit_timestamp=self.time,
            author_timezone=0,
            commit_timezone=0,
        )
        return made.decode()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "shop")
    made.commit(
        "Start the shop",
        README__md="# Shop\n\nPrices of things.\n",
        prices__py="def total(prices):\n    return sum(prices)\n",
        other__py="def name():\n    return 'shop'\n",
    )
    return made


def built(project: Project, **fields: object) -> tuple[dict[str, dict[str, object]], dict[str, int]]:
    config = CommitsConfig(
        output_dir=str(project.folder.parent / "out"),
        repositories=[str(project.folder)],
        decontaminate=[],
        license_types=["no_license", "permissive"],
        **fields,  # type: ignore[arg-type]
    )
    result = CommitsBuilder(config).run()
    rows = load_dataset(str(result.output_dir), split="train")
    return {row["commit"]: row for row in rows}, result.ledger.step("read_commits").reasons


def test_a_commit_is_a_task_and_every_other_one_has_its_reason(project: Project) -> None:
    made = project.commit(
        "Round the total of prices to cents\n\nAsk bo@company.com why.\n\nSigned-off-by: Ann <ann@company.com>",
        prices__py="def total(prices):\n    return round(sum(prices), 2)\n",
        taxes__py="RATE = 0.19\n",
    )
    project.commit("Say more of the taxes that are due", author=b"dependabot[bot] <x@y.z>", taxes__py="RATE = 0.2\n")
    project.commit("wip", taxes__py="RATE = 0.21\n")
    project.commit("Indent the rate of taxes differently", taxes__py="RATE  =  0.21\n")
    project.commit("Add a picture of the whole shop", logo__png=b"\x89PNG\0\0")
    project.commit("Write down all the rates there are", rates__py="".join(f"R{n} = {n}\n" for n in range(400)))
    project.commit("Add many files of all kinds", **{f"f{n}__py": f"x = {n}\n" for n in range(6)})
    rows, reasons = built(project)
    assert set(rows) == {made}
    row = rows[made]
    assert reasons == {
        "root_commit": 1,
        "bot": 1,
        "message": 1,
        "no_text": 2,
        "too_large": 1,
        "too_many_files": 1,
    }
    assert row["changed_paths"] == ["prices.py", "taxes.py"] and row["languages"] == ["Python"]
    prompt, completion = str(row["prompt"]), str(row["completion"])
    assert "Round the total of prices to cents" in prompt and "# Shop" in prompt
    assert "def total(prices):\n    return sum(prices)" in prompt, "as it was before the commit"
    assert "Signed-off-by" not in prompt and "bo@company.com" not in prompt
    assert completion == (
        "## prices.py\n\n```diff\n@@ -1,2 +1,2 @@\n def total(prices):\n-    return sum(prices)\n"
        "+    return round(sum(prices), 2)\n```\n\n## taxes.py\n\nNew:\n\n```\nRATE = 0.19\n```\n"
    )
    assert row["text"] == prompt + completion


def test_commits_to_one_large_file_are_no_near_duplicates(project: Project) -> None:
    """All of them show the file; what they change in it is compared."""
    lines = [f"def price_{n}(thing):\n    return thing.weight * {n} + {n * n}\n" for n in range(60)]
    project.commit("Write down how all prices are made", prices__py="\n\n".join(lines))
    made = []
    for number, reason in {7: "lead", 21: "silver", 40: "gold"}.items():
        changed = f"def price_{number}(thing, {reason}_rate=1.5):\n    return {reason}_rate * thing.weight\n"
        lines[number] = changed
        made.append(project.commit(f"Let the price of {reason} have a rate", prices__py="\n\n".join(lines)))
    rows, _ = built(project)
    assert set(made) <= set(rows)


def test_a_moved_file_is_one_change_and_line_ends_are_none(project: Project) -> None:
    body = "".join(f"RATE_{number} = {number}\n" for number in range(20))
    project.commit("Write down all the rates there are", rates__py=body)
    moved = project.commit(
        "Move the rates to the taxes", rates__py=None, taxes__py=body.replace("RATE_7 = 7", "RATE_7 = 8")
    )
    ends = project.commit("Correct the rate of books to ten", taxes__py=body.replace("\n", "\r\n"))
    rows, _ = built(project)
    assert rows[moved]["changed_paths"] == ["taxes.py"] and "## rates.py" in str(rows[moved]["prompt"])
    assert "## taxes.py\n\nMoved from rates.py.\n\n```diff\n" in str(rows[moved]["completion"])
    assert [rows[key]["num_changed_lines"] for key in (moved, ends)] == [2, 2]


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:{0}\nsize 12345\n"


def test_changes_of_files_that_are_no_plain_text(project: Project) -> None:
    """Files before and after by name, and what the completion says of the change; None where the commit has no text."""
    binary = bytes(range(1, 256)) * 4
    cases: dict[str, tuple[bytes, bytes, str | None]] = {
        "latin1": ("café\neins\n".encode("latin-1"), "café\nzwei\n".encode("latin-1"), " café\n-eins\n+zwei"),
        "utf16": ("one\n".encode("utf-16"), "two\n".encode("utf-16"), "-one\n+two"),
        "nul": (b"\x89PNG\0\0", b"\x89PNG\0\1", None),
        "no_nul": (binary, binary[1:], None),
        "lfs": (LFS.format("a" * 64).encode(), LFS.format("b" * 64).encode(), None),
        "last_line": (b"a\nb", b"a\nc", " a\n-b\n+c"),
        "new_line_end": (b"a\nb", b"a\nb\n", None),
        "empty": (b"\n", b"", None),
    }
    project.commit("Add all the files there are", **{name: before for name, (before, _, _) in cases.items()})
    made = {name: project.commit(f"Change what {name} says", **{name: after}) for name, (_, after, _) in cases.items()}
    made["names"] = changed_tree(project, lambda tree: tree.add(b"\xe9t\xe9.css", 0o100644, blob(project, b"a {}\n")))
    made["link"] = changed_tree(project, lambda tree: tree.add(b"link", 0o120000, blob(project, b"latin1")))
    made["module"] = changed_tree(project, lambda tree: tree.add(b"library", 0o160000, b"a" * 40))
    made["mode"] = changed_tree(project, lambda tree: tree.add(b"latin1", 0o100755, tree[b"latin1"][1]))
    rows, reasons = built(project, max_changed_files=9)
    expected = {name: said for name, (_, _, said) in cases.items() if said} | {"names": "## \\xe9t\\xe9.css\n\nNew:"}
    assert {name for name, commit in made.items() if commit in rows} == set(expected)
    for name, said in expected.items():
        assert said in str(rows[made[name]]["completion"]), name
    assert reasons == {"root_commit": 1, "no_text": 8}


def blob(project: Project, content: bytes) -> bytes:
    made = Blob.from_string(content)
    project.repo.object_store.add_object(made)
    return made.id


def changed_tree(project: Project, change: Callable[[Tree], None]) -> str:
    """Commit a change that no file system may have, with a message in Latin-1."""
    head: Any = project.repo[project.repo.head()]
    tree: Any = project.repo[head.tree]
    change(tree)
    project.repo.object_store.add_object(tree)
    project.time += 86_400
    made = Commit()
    made.tree, made.parents, made.author, made.committer = tree.id, [head.id], ANN, ANN
    made.author_time = made.commit_time = project.time
    made.author_timezone = made.commit_timezone = 0
    made.encoding, made.message = b"iso-8859-1", "Ajouter l'été à la boutique".encode("latin-1")
    project.repo.object_store.add_object(made)
    project.repo.refs[project.repo.refs.follow(b"HEAD")[0][-1]] = made.id
    return made.id.decode()


def test_young_repositories_are_left_out_by_the_preset_of_seed_coder(project: Project) -> None:
    project.commit("Round the total of prices to cents", prices__py="def total(prices):\n    return 1\n")
    with pytest.raises(Exception, match="young_repository: 1"):
        built(project, preset="seed_coder")


def test_deleted_files_and_fences_in_code() -> None:
    changes = [Change("a.md", "x\n", None), Change("b.md", "a\n```\nb\n", "a\n```\nc\n")]
    completion = render_task("r", "m", "", [], [], changes).completion
    assert completion.startswith("## a.md\n\nDeleted.\n\n## b.md\n\n````diff\n")
    assert [changed_lines(change) for change in changes] == [1, 2]


def test_files_are_ranked_by_what_the_message_says() -> None:
    texts = {b"1": "def parse_header(line): ...", b"2": "class UserTable: ...", b"3": "nothing of it"}
    files = {"http/parser.py": b"1", "db/userTable.py": b"2", "docs.txt": b"3"}
    ranked = Relevance(texts.get).ranked
    assert ranked("Parse headers of http line by line", files, 2)[0] == "http/parser.py"
    assert ranked("The user table is made once", files, 1) == ["db/userTable.py"]
    assert ranked("Xylophone", files, 5) == []
    assert words_of("parseHTTPHeader_v2 fooBar") == ["parse", "http", "header", "v", "2", "foo", "bar"]


@pytest.mark.parametrize(
    ("message", "teaches"),
    [
        ("Fix off-by-one error in the pager", True),
        ("Update the pager so that it counts from one", True),
        ("Bump the tax rate in checkout", True),
        ("Bump version to 1.2.3", False),
        ("update README", False),
        ("Fix typo.", False),
        ("Merge branch 'main' of x into y", False),
        ("1.2.3", False),
        ("minor changes", False),
        ("修复 分页 错误", True),
        ("修复分页计算错误并补充测试", True),
        ("ページ計算の誤りを修正する", True),
        ("แก้ไขข้อผิดพลาดในการคำนวณหน้า", True),
        ("페이지 계산 오류 수정", True),
        ("更新", False),
        ("更新 README", False),
        ("Initial commit", False),
    ],
)
def test_messages_that_are_said_of_any_commit_teach_nothing(message: str, teaches: bool) -> None:
    assert (not message_problem(message)) == teaches


def test_trailers_and_bots() -> None:
    assert clean_message("A b\r\n\r\nc\n\nCo-Authored-By: x <y>\nChange-Id: I1\n") == "A b\n\nc"
    assert is_bot("renovate <bot@renovate.com>") and is_bot("github-actions[bot] <a@b>")
    assert not is_bot("Robot Smith <robot@smith.org>")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "repositories is not set"),
        ({"repositories": ["/nowhere/*"]}, "no folder matches"),
        ({"repositories": ["."], "preset": "seed"}, "all, seed_coder"),
        ({"repositories": ["."], "max_changed_files": 0}, "at least 1"),
    ],
)
def test_mistakes_name_the_key(tmp_path: Path, fields: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        CommitsBuilder(CommitsConfig(output_dir=str(tmp_path / "out"), decontaminate=[], **fields)).run()  # type: ignore[arg-type]
