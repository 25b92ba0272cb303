"""What a config may name as a source, and the sources beside archives and tables: git, the Hub, encodings, opt-outs."""

import gzip
import json
import subprocess
import zipfile

import pyarrow.parquet as pq
import pytest

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.errors import ConfigError
from datasets_builders.repositories.builder import RepositoriesBuilder
from datasets_builders.repositories.config import RepositoriesConfig
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig
from datasets_builders.sources.encodings import decode
from datasets_builders.sources.git_trees import GitSource
from datasets_builders.sources.opening import open_sources
from datasets_builders.sources.opt_out import OptOuts, read_opt_outs
from datasets_builders.sources.row_values import public_url
from tests.datasets_builders.sources.test_archives import tar_bytes

ADD = b"def add(first, second):\n    return first + second\n"
SUBTRACT = b"def subtract(first, second):\n    return first - second\n"


def build(tmp_path, name="out", **fields):
    config = SourceCodeConfig(output_dir=str(tmp_path / name), decontaminate=[], **fields)
    result = SourceCodeBuilder(config).run()
    return result, pq.read_table(tmp_path / name / "data").to_pylist()


def git(folder, *arguments):
    settings = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *settings, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "engine"
    folder.mkdir()
    git(folder, "init", "-b", "main")
    (folder / "add.py").write_bytes(ADD)
    (folder / "LICENSE").write_text("Mozilla Public License Version 2.0")
    (folder / "link.py").symlink_to("/etc/passwd")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first", "--date", "2024-01-01T00:00:00Z")
    git(folder, "tag", "v1")
    (folder / "add.py").write_bytes(SUBTRACT)
    git(folder, "commit", "-am", "second")
    (folder / "uncommitted.py").write_bytes(ADD)
    return folder


def test_a_commit_is_read_without_a_checkout(repository, tmp_path):
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "--bare", str(repository), str(bare))
    for path, revision, content in ((repository, "HEAD", SUBTRACT), (bare, "v1", ADD)):
        source = GitSource(path, revision)
        entries = {entry.path: entry for rank in range(3) for entry in source.entries(rank, 3)}
        assert entries.keys() == {"add.py", "LICENSE", "link.py"}
        assert entries["add.py"].read(1000) == content and entries["link.py"].problem == "symlink_inside"
        assert source.licenses().of_all == "MPL-2.0" and entries["add.py"].known["date"] == source.date
    assert GitSource(bare).repository == "bare"


def test_rows_know_the_commit_and_the_address_of_a_clone(repository, tmp_path):
    git(repository, "remote", "add", "origin", "https://ada:hf_secret@example.org/ada/engine.git")
    commit = GitSource(repository).commit
    _, (row,) = build(tmp_path, sources=[f"git:{repository}"], license_types=["non_permissive"])
    assert (row["commit"], row["repository_url"], row["is_fork"]) == (
        commit,
        "https://example.org/ada/engine.git",
        None,
    )
    # A folder may differ from its last commit: of a working tree nothing is claimed.
    _, rows = build(tmp_path, "tree", sources=[str(repository)], license="MIT")
    assert {(row["commit"], row["repository_url"]) for row in rows} == {(None, None)}
    git(repository, "remote", "set-url", "origin", str(tmp_path))
    assert GitSource(repository).url is None


@pytest.mark.parametrize("extension", ["tar", "tar.gz", "zip"])
def test_rows_know_the_commit_that_an_archive_was_made_of(repository, tmp_path, extension):
    archive = tmp_path / f"engine-1.0.{extension}"
    git(repository, "archive", "--prefix=engine-1.0/", "-o", str(archive), "HEAD")
    _, (row,) = build(tmp_path, sources=[str(archive)], license_types=["non_permissive"])
    assert (row["path"], row["commit"]) == ("add.py", GitSource(repository).commit)


def test_a_comment_that_is_no_commit_is_none(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("add.py", ADD)
        archive.comment = b"made by hand"
    _, (row,) = build(tmp_path, sources=[str(tmp_path / "a.zip")], license="MIT")
    assert row["commit"] is None


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://github.com/ada/app.git", "https://github.com/ada/app.git"),
        ("https://ada:token@github.com/ada/app", "https://github.com/ada/app"),
        ("https://token@github.com:8443/ada/app?private=1", "https://github.com:8443/ada/app"),
        ("git@github.com:ada/app.git", "ssh://github.com/ada/app.git"),
        ("ssh://git@example.org:22/ada/app", "ssh://example.org:22/ada/app"),
        ("git://example.org/app", "git://example.org/app"),
        ("/srv/ada/app", None),
        ("../app", None),
        ("file:///srv/ada/app", None),
        ("C:/Users/ada/app", None),
        ("https://[broken/app", None),
        ("https://example.org:port/app", None),
        ("", None),
    ],
)
def test_the_address_of_a_clone_is_shown_without_names_passwords_and_folders(address, shown):
    assert public_url(address) == shown


def test_wrong_words_say_what_is_wrong(repository, tmp_path):
    (tmp_path / "photo.png").write_bytes(b"1")
    for words, message in (
        ([str(tmp_path / "nothing")], "nothing lies at"),
        ([str(tmp_path / "*.zip")], "nothing lies at"),
        ([str(tmp_path / "photo.png")], "is none of these: a folder, an archive"),
        ([f"git:{tmp_path}"], "no git repository lies there"),
        ([f"git:{repository}@v2"], "no commit 'v2'"),
        ([str(repository), str(repository)], "is named twice"),
        (["hf://datasets/alone"], "write hf://datasets/ORG/NAME"),
        (["ftp://host/code"], "ftp://host/code is not read from there; fetch it first"),
        (["memory://nothing/*.csv"], "memory://nothing/.* no Parquet, JSON Lines or CSV file lies there"),
        (["s3://key:secret@bucket/rows.csv"], "s3://: keys and passwords do not belong into addresses"),
        (["gs://bucket/rows.csv"], "gs://bucket/rows.csv: .*gcsfs"),
        (["list:nowhere.txt"], "no list lies at .*nowhere.txt"),
        (["ftp://host/a.parquet"], "is not read from there"),
        ([f"git:{repository}@v1", f"git:{repository}"], "these would be one repository, 'engine'"),
        ([f"{repository}/../engine", str(repository)], "is named twice"),
    ):
        with pytest.raises(ConfigError, match=message):
            open_sources(words, [], 1000)
    with pytest.raises(ConfigError, match="output_dir is s3://bucket/data, but a dataset is built in a local folder"):
        SourceCodeConfig(output_dir="s3://bucket/data")
    with pytest.raises(ConfigError, match="input_dir is gs://bucket, but only local folders are read"):
        build(tmp_path, input_dir="gs://bucket")
    with pytest.raises(ConfigError, match="lies inside the source"):
        build(tmp_path, sources=[str(tmp_path)])
    with pytest.raises(ConfigError, match="sources and input_dir"):
        SourceCodeConfig(output_dir="x", sources=["a"], input_dir="b")
    with pytest.raises(ConfigError, match="license_types: unknown 'free'"):
        SourceCodeConfig(output_dir="x", license_types=["free"])
    with pytest.raises(ConfigError, match="allowed_licenses: 'GPL' is no SPDX name"):
        SourceCodeConfig(output_dir="x", allowed_licenses=["GPL"])


def test_sources_of_one_name_are_told_apart(tmp_path):
    for owner in ("ada", "bob"):
        (tmp_path / owner / "app").mkdir(parents=True)
        (tmp_path / owner / "app" / "main.py").write_bytes(ADD)
        archive = gzip.compress(tar_bytes({f"{owner}s-thing-main/main.py": ADD}))
        (tmp_path / owner / "main.tar.gz").write_bytes(archive)
        (tmp_path / owner / "rows.jsonl").write_text(json.dumps({"content": ADD.decode(), "path": "main.py"}))
    with zipfile.ZipFile(tmp_path / "ada" / "main.zip", "w") as archive:
        archive.writestr("main.py", ADD)
    (tmp_path / "other").mkdir()
    words = [
        f"{tmp_path}/*/app",
        f"{tmp_path}/*/main.tar.gz",
        *(f"{tmp_path}/{owner}/rows.jsonl" for owner in ("ada", "bob")),
    ]
    sources = open_sources([*words, f"{tmp_path}/other"], [], 1000)
    names = ["ada/app", "bob/app", "ada/main", "bob/main", "ada/rows", "bob/rows", "other"]
    assert [source.repository for source in sources] == names
    for source in sources[:-1]:
        (entry,) = source.entries(0, 1)
        assert (entry.repository, entry.path) == (source.repository, "main.py")
    both = open_sources([f"{tmp_path}/ada/main.tar.gz", f"{tmp_path}/ada/main.zip"], [], 1000)
    assert [source.repository for source in both] == ["main.tar.gz", "main.zip"]


def test_two_clones_of_one_name_lose_no_file(tmp_path):
    for owner in ("ada", "bob"):
        folder = tmp_path / owner / "app"
        folder.mkdir(parents=True)
        (folder / "base.py").write_text(f"def {owner}_base(value):\n    return value * {len(owner)}\n\n\nUSED = 1\n")
        (folder / "main.py").write_text(f"from base import {owner}_base\n\n\nprint({owner}_base(12), 'of {owner}')\n")
    config = RepositoriesConfig(
        output_dir=str(tmp_path / "out"), sources=[f"{tmp_path}/*/app"], decontaminate=[], near_dedup=False
    )
    result = RepositoriesBuilder(config).run()
    rows = pq.read_table(tmp_path / "out" / "data").to_pylist()
    assert sorted(row["repository"] for row in rows) == ["ada/app", "bob/app"]
    assert "duplicate_path" not in result.ledger.step("concatenate").reasons


def test_all_kinds_of_sources_in_one_build(repository, tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "folder.py").write_bytes(ADD.replace(b"add", b"in_folder"))
    (tmp_path / "one-1.0.tar.gz").write_bytes(gzip.compress(tar_bytes({"one-1.0/archive.py": ADD})))
    rows = [
        {"content": SUBTRACT.decode(), "path": "same.py", "repository": "ada/known", "stars": 50, "license": "MIT"},
        {"content": ADD.decode(), "path": "gpl.py", "repository": "bob/free", "stars": 90, "license": "GPL-3.0-only"},
        {"content": "#" + ADD.decode(), "path": "no.py", "repository": "Eve/private"},
        {"content": "# SPDX-License-Identifier: AGPL-3.0-only\nprint('a line')\n", "path": "tag.py", "license": "MIT"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "out.txt").write_text("# asked in May\nhttps://github.com/eve\n")
    words = [f"{tmp_path}/project", f"{tmp_path}/*.tar.gz", f"git:{repository}@HEAD", f"{tmp_path}/rows.jsonl"]
    result, found = build(tmp_path, sources=words, opt_out_file=str(tmp_path / "out.txt"))
    kept = {row["path"]: (row["repository"], row["license_type"], row["stars"]) for row in found}
    assert kept == {
        "folder.py": ("project", "no_license", None),
        "archive.py": ("one-1.0", "no_license", None),
        "same.py": ("ada/known", "permissive", 50),
    }
    assert result.ledger.step("license").reasons == {"non_permissive": 3}
    assert result.ledger.step("read_code").reasons["opted_out"] == 1
    _, found = build(tmp_path, "all", sources=words, license_types=["permissive", "non_permissive", "no_license"])
    # The GPL copy has more stars than the archive's; the commit's file is the same as the starred one.
    assert {"gpl.py", "same.py", "tag.py"} < {row["path"] for row in found}
    assert "archive.py" not in {row["path"] for row in found}
    card = (tmp_path / "all" / "README.md").read_text()
    assert "| GPL-3.0-only | non_permissive | 1 |" in card and "license: other" in card


def test_repositories_are_limited_by_their_number_of_files_where_it_is_known(repository, tmp_path):
    def text(name):
        return ADD.replace(b"add", name.encode()).decode()

    for name, extra in (("small", {}), ("large", {"notes.txt": "a", "b.bin": "\0", "venv/left_out.py": "b"})):
        files = {f"{name}.py": text(name), **extra}
        for path, content in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(content)
    archive = {"one-1.0/archive.py": ADD, "one-1.0/b.txt": b"b", "one-1.0/c.txt": b"c"}
    (tmp_path / "one-1.0.tar.gz").write_bytes(gzip.compress(tar_bytes(archive)))
    files = [{"path": f"row{number}.py", "content": text(f"row{number}")} for number in range(4)]
    rows = [{"repository": "ada/row", "files": files}, {"path": "alone.py", "content": text("alone")}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = [f"{tmp_path}/{name}" for name in ("small", "large", "one-1.0.tar.gz", "rows.jsonl")]
    fields = {
        "sources": [*words, f"git:{repository}@HEAD"],
        "license_types": ["permissive", "non_permissive", "no_license"],
    }
    result, found = build(tmp_path, quality_limits={"repository_files": [2, 3]}, **fields)
    # small has one file; large three (what is left out does not count), the archive three, the commit two.
    assert {row["path"] for row in found} == {"large.py", "archive.py", "add.py"}
    assert result.ledger.step("quality_limits").reasons == {
        "low_repository_files": 1,
        "high_repository_files": 4,
        "unknown_repository_files": 1,
    }


def test_two_workers_give_the_same_bytes(repository, tmp_path):
    (tmp_path / "one-1.0.tar.gz").write_bytes(gzip.compress(tar_bytes({f"{n}.py": ADD + b"\n" * n for n in range(9)})))
    words = [f"{tmp_path}/*.tar.gz", f"git:{repository}"]
    for workers in (1, 2):
        build(tmp_path, f"by{workers}", sources=words, workers=workers, license_types=["non_permissive", "no_license"])
    single, double = ((tmp_path / f"by{n}/data/train_00000_of_00001.parquet").read_bytes() for n in (1, 2))
    assert single == double


CODE = "int count(int first)\n{\n    return first * 3 > 10 ? first : -first;\n}\n"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "naïve = 'é'"),
        ("utf-8-sig", "value = 'é'"),
        ("utf-16", "value = 'é'"),
        ("utf-16-le", "int first = 1; /* kein Zeichen davor: Größe */"),
        ("utf-16-be", "int first = 1; // без знака"),
        ("cp1252", "# Ein größerer Käse für die Bürger, müßig überall"),
        ("cp1252", "# Written by José Garcia"),
        ("cp1252", "/* angle in degrees (90°) */"),
        ("cp1252", "// it’s the author’s own “quoted” text…"),
        ("cp1252", "COLUMNS = 'Jahr;Kinosäle;Sitzplätze;Vorhandene Plätze je 1000'"),
        ("cp1252", "/* Vérifie que la clé existe déjà à cet endroit, où l'élève est présent */"),
        ("iso8859_15", "/* Loeb sätete faili ja tagastab kirjete arvu; öösel töötab ka üksi */"),
        ("mac_roman", "/* Die Änderungen für später; Größe möglich, geänderte Einträge übernehmen */"),
        ("cp1250", "/* Środowisko: ładuje się źródło, ścieżka świata, później */"),
        ("iso8859_2", "/* Přečte soubor s nastavením a vrátí počet záznamů, při chybě záporné číslo. */"),
        ("cp1254", "/* Ayar dosyasını okur, kayıt sayısını döndürür. Şimdilik değişmez, ışık açık */"),  # noqa: RUF001
        ("cp1251", "# Привет, мир: это программа для проверки кодировки текста"),
        ("koi8_r", "/* Чтение файла настроек. Возвращает число записей или ошибку. */"),
        ("cp866", "/* Чтение файла настроек. Возвращает число записей. */"),
        ("cp1253", "/* Διαβάζει το αρχείο ρυθμίσεων και επιστρέφει το πλήθος. */"),
        ("iso8859_7", "/* Διαβάζει το αρχείο ρυθμίσεων και επιστρέφει το πλήθος. */"),
        ("cp1255", "/* קורא את קובץ ההגדרות ומחזיר את מספר הרשומות */"),
        ("cp1256", "/* يقرأ ملف الإعدادات ويعيد عدد السجلات */"),
        ("cp874", "/* อ่านแฟ้มการตั้งค่าและคืนจำนวนรายการ */"),
        ("shift_jis", "# これは日本語のコメントです。文字コードを調べます。"),
        ("euc_jp", "# これは日本語のコメントです。文字コードを調べます。"),
        ("euc_kr", "/* 설정 파일을 읽는다. 반환값은 항목의 개수이다. */"),
        ("big5", "/* 讀取設定檔案，傳回資料筆數。若發生錯誤則傳回負值。 */"),
        ("gb18030", "# 如何排序列表, 这是一个简单的例子"),
        ("gb18030", "// 函数返回值说明"),
        ("big5hkscs", "// 這是一個簡單的例子"),
        ("gb18030", "# 这是一个中文注释, 用来检查文件的编码是否正确。"),
        ("gb2312", '<meta http-equiv="Content-Type" content="text/html; charset=gb2312"><p>中</p>'),
        ("iso8859_5", '<?xml version="1.0" encoding="iso-8859-5"?><a>Ж</a>'),
    ],
)
def test_text_of_many_encodings_becomes_the_same_text(encoding, text):
    assert decode(f"{text}\n{CODE}".encode(encoding))[0] == f"{text}\n{CODE}"


def test_hidden_files_are_a_switch(tmp_path):
    rows = [{"content": ADD.decode(), "path": ".github/a.py"}, {"content": SUBTRACT.decode(), "path": ".git/b.py"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row | {"repository": "a/b"}) + "\n" for row in rows))
    (tmp_path / "c.jsonl").write_text(json.dumps({"content": CODE, "path": "c.c", "repository": "a/c"}))
    sources = [str(tmp_path / "rows.jsonl"), str(tmp_path / "c.jsonl")]
    for is_read, paths in ((False, {"c.c"}), (True, {"c.c", ".github/a.py"})):
        _, found = build(tmp_path, f"out{is_read}", sources=sources, hidden_files=is_read)
        assert {row["path"] for row in found} == paths


def test_noise_is_no_text():
    assert decode(bytes(range(128, 256)) * 3) is None
    assert decode(b"a\0" + bytes(range(1, 256)) * 3) is None


def test_what_a_file_declares_goes_before_a_guess():
    raw = "# -*- coding: iso-8859-5 -*-\nname = 'Ж'\n".encode("iso-8859-5")
    assert decode(raw) == (raw.decode("iso-8859-5"), "iso8859-5")
    assert decode(b"# coding: rot13\nname = '\xff'\n")[1] != "rot13"
    assert decode(b"# coding: hex\n" + bytes(range(128, 256)) * 2) is None


def test_opt_outs_are_repositories_and_owners(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("Ada/Engine  # since May\nhttps://github.com/bob/\n\nhttps://github.com/eve/tools.git\n")
    names = read_opt_outs(path)
    assert names == OptOuts(frozenset({"ada/engine", "bob", "eve/tools"}))
    assert names.covers("ada/engine") and names.covers("Bob/x") and not names.covers("ada/other")
    path.write_text("two words\n")
    with pytest.raises(ConfigError, match="line 1: 'two words' is neither"):
        read_opt_outs(path)


@pytest.mark.parametrize(
    "text",
    [
        "# the \u201csmart\u201d quotes \u2014 and more\u2026\n",
        "# \u2705 done \U0001f680\n",
        "# \u0427\u0442\u0435\u043d\u0438\u0435\n",
    ],
)
@pytest.mark.parametrize("end", [b"# caf\xe9\n", b"\xe8\xae", b"# x\x80y\n"])
@pytest.mark.parametrize("times", [1, 30])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_utf8_with_a_broken_byte_is_utf8(text, end, times, mark):
    whole = (text + "def f(a):\n    return a + 1\n") * times
    assert decode(mark + whole.encode() + end) == (whole + end.decode("utf-8", "replace"), "utf-8")


def test_a_file_with_a_broken_byte_is_counted_as_mended(tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project/a.py").write_bytes("# größer, später\n".encode() + b"name = 'caf\xe9'\n" + ADD * 3)
    (tmp_path / "project/b.py").write_bytes("# \ufffd stands there\n".encode() + SUBTRACT * 3)
    result, rows = build(tmp_path, input_dir=str(tmp_path / "project"))
    assert result.ledger.step("read_code").mended == {"broken_utf8": 1}
    assert {row["path"]: row["encoding"] for row in rows} == {"a.py": "utf-8", "b.py": "utf-8"}


def test_a_built_dataset_is_read_as_its_rows(tmp_path):
    files = {"one.py": ADD.decode(), "two.go": "package two\n\nfunc Two() int {\n\treturn 2\n}\n"}
    (tmp_path / "app").mkdir()
    for name, text in files.items():
        (tmp_path / "app" / name).write_text(text)
    config = SourceCodeConfig(output_dir=str(tmp_path / "first"), decontaminate=[], sources=[str(tmp_path / "app")])
    SourceCodeBuilder(config).run()
    data = tmp_path / "first" / "data"
    assert sorted(path.name for path in data.iterdir()) == [
        f"train_00000_of_00001.{language}.parquet" for language in ("Go", "Python")
    ]
    for number, word in enumerate((tmp_path / "first", data / "**" / "*.parquet")):
        again = SourceCodeConfig(output_dir=str(tmp_path / f"again{number}"), decontaminate=[], sources=[str(word)])
        SourceCodeBuilder(again).run()
        rows = DatasetFolder(tmp_path / f"again{number}").rows(["path", "content"])
        assert {row["path"]: row["content"] for row in rows} == files
    with pytest.raises(ConfigError, match=r"folders there hold such files, give .*/first/\*\*/\*\.parquet"):
        open_sources([str(tmp_path / "first" / "*.parquet")], [], 1000)
