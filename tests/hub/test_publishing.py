"""Publishing a folder: what is pushed, what is refused, and what happens when the Hub or the network fails."""

import subprocess
import sys
import warnings
from hashlib import sha256
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard, HfApi

from modeling_ling import hub_branch, hub_calls, publishing
from modeling_ling.hub_branch import MANIFEST_FILE
from modeling_ling.hub_calls import PublishError
from modeling_ling.publishing import PublishResult, publish_folder
from tests.hub_server import READ_TOKEN, Call, HubServer
from tests.hub_storage import HubError

# huggingface_hub hands file objects to httpx under an argument that httpx renames.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]


def publish(folder: Path, hub: HubServer, repo_id: str = "acme/numbers", **options: object) -> PublishResult:
    return publish_folder(folder, repo_id, endpoint=hub.url, **options)


def files_on(hub: HubServer, revision: str | None = None, repo_type: str = "dataset") -> list[str]:
    return sorted(HfApi(hub.url).list_repo_files("acme/numbers", repo_type=repo_type, revision=revision))


def test_a_dataset_folder_arrives_whole_private_and_without_the_state_of_its_build(
    dataset_folder: Path, online: HubServer
) -> None:
    result = publish(dataset_folder, online)
    info = HfApi(online.url).dataset_info("acme/numbers", files_metadata=True)
    assert info.private is True
    assert info.sha == result.commit
    assert result.url == f"{online.url}/datasets/acme/numbers"
    shards = [f"data/train_0000{n}_of_00003.parquet" for n in range(3)] + ["data/validation_00000_of_00001.parquet"]
    assert files_on(online) == sorted([".gitattributes", MANIFEST_FILE, "README.md", "ledger.json", *shards])
    sizes = {sibling.rfilename: sibling.size for sibling in info.siblings or []}
    for shard in shards:
        assert sizes[shard] == (dataset_folder / shard).stat().st_size


def test_pushing_twice_uploads_nothing_and_makes_no_commit(dataset_folder: Path, online: HubServer) -> None:
    first = publish(dataset_folder, online)
    blobs, uploads = online.storage.blobs.names(), online.count("PUT", "/lfs/")
    second = publish(dataset_folder, online)
    assert second == first
    assert online.storage.blobs.names() == blobs
    assert online.count("PUT", "/lfs/") == uploads == 4
    assert online.count("POST", "/commit/") == 1


def test_a_changed_shard_is_the_only_upload(dataset_folder: Path, online: HubServer) -> None:
    publish(dataset_folder, online)
    changed = dataset_folder / "data" / "validation_00000_of_00001.parquet"
    changed.write_bytes((dataset_folder / "data" / "train_00000_of_00003.parquet").read_bytes() + b"changed")
    before = online.count("PUT", "/lfs/")
    publish(dataset_folder, online)
    assert online.count("PUT", "/lfs/") == before + 1


def test_a_build_with_fewer_shards_leaves_none_of_the_old_ones(dataset_folder: Path, online: HubServer) -> None:
    publish(dataset_folder, online)
    for shard in (dataset_folder / "data").glob("train_*"):
        shard.rename(shard.with_name(shard.name.replace("of_00003", "of_00002")))
    (dataset_folder / "data" / "train_00002_of_00002.parquet").unlink()
    publish(dataset_folder, online)
    assert [name for name in files_on(online) if "train" in name] == [
        "data/train_00000_of_00002.parquet",
        "data/train_00001_of_00002.parquet",
    ]


def test_a_revision_is_a_branch_of_its_own(dataset_folder: Path, online: HubServer) -> None:
    publish(dataset_folder, online)
    step = dataset_folder / "weights.txt"
    step.write_text("step 12000", encoding="utf-8")
    result = publish(dataset_folder, online, revision="step-000012000")
    again = publish(dataset_folder, online, revision="step-000012000")
    assert again == result
    assert result.url.endswith("/datasets/acme/numbers/tree/step-000012000")
    assert "weights.txt" in files_on(online, "step-000012000")
    assert "weights.txt" not in files_on(online)


def test_a_model_folder_goes_to_a_model_repository(tmp_path: Path, online: HubServer) -> None:
    folder = tmp_path / "model"
    (folder / "checkpoint-10").mkdir(parents=True)
    (folder / "checkpoint-10" / "optimizer.pt").write_bytes(b"moments")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Tiny\n", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"weights")
    result = publish(folder, online, kind="model")
    assert result.url == f"{online.url}/acme/numbers"
    assert files_on(online, repo_type="model") == [
        ".gitattributes",
        MANIFEST_FILE,
        "README.md",
        "model.safetensors",
    ]


@pytest.mark.parametrize(
    ("path", "method", "kind"),
    [
        ("/api/repos/create", "POST", "500"),
        ("/api/repos/create", "POST", "lost"),
        ("/api/datasets/acme/numbers$", "GET", "429"),
        ("/branch/", "POST", "lost"),
        ("/tree/", "GET", "cut"),
        ("/preupload/", "POST", "429"),
        ("/objects/batch", "POST", "cut"),
        ("/lfs/[0-9a-f]+$", "PUT", "500"),
        ("/lfs/[0-9a-f]+$", "PUT", "408"),  # one that the client does not retry by itself
        ("/lfs/[0-9a-f]+$", "PUT", "cut"),
        ("/commit/", "POST", "429"),
        ("/commit/", "POST", "cut"),
        ("/commit/", "POST", "lost"),
    ],
)
def test_a_failure_on_the_way_changes_nothing_about_the_result(
    path: str, method: str, kind: str, dataset_folder: Path, online: HubServer
) -> None:
    online.faults.add(path, method, kind)
    result = publish(dataset_folder, online, revision="v1")
    assert [injected[2] for injected in online.faults.injected] == [kind]
    head = HfApi(online.url).dataset_info("acme/numbers", revision="v1", files_metadata=True)
    assert head.sha == result.commit
    pushed = {sibling.rfilename: sibling.size for sibling in head.siblings or []}
    for shard in (dataset_folder / "data").iterdir():
        assert pushed[f"data/{shard.name}"] == shard.stat().st_size
    commits = HfApi(online.url).list_repo_commits("acme/numbers", repo_type="dataset", revision="v1")
    assert len(commits) == 2, "the initial commit and ours: a lost answer must not make a second one"


def test_several_failures_in_one_push_are_survived(dataset_folder: Path, online: HubServer) -> None:
    online.faults.add("/commit/", "POST", "429", times=2)
    online.faults.add("/commit/", "POST", "500", times=2)
    publish(dataset_folder, online)
    assert len(online.faults.injected) == 4
    assert online.count("PUT", "/lfs/") == 4, "what had arrived was sent again"


def test_a_hub_that_stays_broken_ends_with_a_message(
    dataset_folder: Path, online: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_calls, "MAX_ATTEMPTS", 3)
    online.faults.add("/commit/", "POST", "500", times=100)
    with pytest.raises(PublishError, match=r"still answered 500. Run the same command later"):
        publish(dataset_folder, online)
    assert len(online.faults.injected) == 3


def test_a_pause_longer_than_a_quarter_of_an_hour_is_left_to_the_user(
    dataset_folder: Path, online: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_calls, "MAX_RETRY_AFTER_SECONDS", -1.0)
    online.faults.add("/commit/", "POST", "429")
    with pytest.raises(PublishError, match=r"still answered 429 \(Retry-After: 0 s\)"):
        publish(dataset_folder, online)
    assert len(online.faults.injected) == 1


def test_a_refused_upload_names_the_file(dataset_folder: Path, online: HubServer) -> None:
    online.faults.add("/lfs/", "PUT", "413", times=100)
    with pytest.raises(PublishError, match=r"(?s)answered 413.*more, smaller shards.*data/"):
        publish(dataset_folder, online)


def test_no_hub_at_the_address_ends_with_a_message(
    dataset_folder: Path, online: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_calls, "MAX_ATTEMPTS", 2)
    with pytest.raises(PublishError, match=r"no lasting connection to the Hub.*Check the network"):
        publish_folder(dataset_folder, "acme/numbers", endpoint="http://127.0.0.1:9")


@pytest.mark.parametrize(
    "repo_id", ["numbers", "a/b/c", "datasets/acme/numbers", "acme/num bers", "acme/", "acme/x..y", "acme/-x", ""]
)
def test_a_malformed_repository_id_is_refused_before_the_network(
    repo_id: str, dataset_folder: Path, online: HubServer
) -> None:
    with pytest.raises(ValueError, match=r"Cannot publish to repository id .*ORGANIZATION/NAME"):
        publish(dataset_folder, online, repo_id=repo_id)
    assert online.calls == []


@pytest.mark.parametrize("revision", ["", "a b", "../x", "x..y", "-x", "x/", "a~1"])
def test_a_malformed_revision_is_refused(revision: str, dataset_folder: Path, online: HubServer) -> None:
    with pytest.raises(ValueError, match="is no name of a branch"):
        publish(dataset_folder, online, revision=revision)
    assert online.calls == []


def test_folders_that_would_be_useless_on_the_hub_are_refused(tmp_path: Path, online: HubServer) -> None:
    with pytest.raises(ValueError, match="is not a folder"):
        publish(tmp_path / "missing", online)
    folder = tmp_path / "folder"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "x.parquet").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"no README.md card"):
        publish(folder, online)
    (folder / "README.md").write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"no README.md card, or an empty one"):
        publish(folder, online)
    (folder / "README.md").write_text("# Card\n", encoding="utf-8")
    with pytest.raises(ValueError, match="beside the card there is no file"):
        publish(folder, online, ignore=["data/**"])
    with pytest.raises(ValueError, match="nothing is published without its card"):
        publish(folder, online, ignore=["*.md"])
    with pytest.raises(ValueError, match="kind is 'space'"):
        publish(folder, online, kind="space")
    assert online.calls == []


def test_a_card_whose_header_is_no_yaml_is_refused(dataset_folder: Path, online: HubServer) -> None:
    (dataset_folder / "README.md").write_text("---\nlicense: [mit\n---\n# Card\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"Invalid metadata in README\.md"):
        publish(dataset_folder, online)
    assert online.count("POST", "/commit/") == 0


@pytest.mark.parametrize(
    ("token", "repo_id", "message"),
    [
        ("hf_unknown", "acme/numbers", r"answered 401.*hf auth login"),
        (READ_TOKEN, "acme/numbers", r"answered 403.*may not write to namespace 'acme'"),
        ("hf_test", "strangers/numbers", r"answered 403.*may not write to namespace 'strangers'"),
        ("", "acme/numbers", r"There is no Hugging Face token.*hf auth login"),
    ],
)
def test_a_token_that_does_not_do_says_what_to_do(
    token: str, repo_id: str, message: str, dataset_folder: Path, online: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(PublishError, match=message) as caught:
        publish(dataset_folder, online, repo_id=repo_id)
    assert not token or token not in str(caught.value)
    assert online.storage.blobs.names() == set()


def test_a_public_repository_where_a_private_one_was_asked_for_warns(dataset_folder: Path, online: HubServer) -> None:
    with warnings.catch_warnings(record=True) as caught:
        publish(dataset_folder, online, private=False)
    assert not any("public" in str(warning.message) for warning in caught)
    with pytest.warns(UserWarning, match="already exists and is public"):
        publish(dataset_folder, online)


def test_offline_mode_is_named_as_the_reason(dataset_folder: Path, hub: HubServer) -> None:
    with pytest.raises(PublishError, match="HF_HUB_OFFLINE is set"):
        publish(dataset_folder, hub)


def test_importing_the_module_loads_no_client() -> None:
    code = "import sys, modeling_ling.publishing as p; assert 'huggingface_hub' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(publishing.__file__).parents[2])


def many_files(folder: Path, count: int) -> Path:
    """Return a folder with so many small shards and a card."""
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Many\n", encoding="utf-8")
    for number in range(count):
        (folder / "data" / f"train_{number:05d}_of_{count:05d}.parquet").write_bytes(b"shard %d" % number)
    return folder


def card_on(hub: HubServer) -> DatasetCard:
    """Return the card that stands there now."""
    path = HfApi(hub.url).hf_hub_download("acme/numbers", "README.md", repo_type="dataset")
    return DatasetCard(Path(path).read_text(encoding="utf-8"))


def test_more_files_than_a_commit_bears_come_in_several(
    online: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_branch, "MAX_FILES_PER_COMMIT", 10)
    folder = many_files(tmp_path / "many", 30)
    first = publish(folder, online)
    api = HfApi(online.url)
    commits = [commit.commit_id for commit in api.list_repo_commits("acme/numbers", repo_type="dataset")]
    assert commits[0] == first.commit and len(commits) == 1 + 4
    held = [len(api.list_repo_files("acme/numbers", repo_type="dataset", revision=commit)) for commit in commits]
    assert held == [33, 27, 19, 11, 1]  # a commit's ten: eight shards, at first the list of files and the card too
    has_card = ["README.md" in api.list_repo_files("acme/numbers", repo_type="dataset", revision=c) for c in commits]
    assert has_card == [True, True, True, True, False]
    assert publish(folder, online) == first
    other = many_files(tmp_path / "fewer", 3)
    publish(other, online)
    assert files_on(online) == sorted(
        [".gitattributes", MANIFEST_FILE, "README.md", *(f"data/{path.name}" for path in (other / "data").iterdir())]
    )
    assert online.count("PUT", "/lfs/") == 30  # all content is known, and no more than ten are in a commit


def test_a_push_of_several_commits_that_broke_off_goes_on_or_is_cleared_by_another(
    online: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_branch, "MAX_FILES_PER_COMMIT", 10)
    monkeypatch.setattr(hub_calls, "MAX_ATTEMPTS", 1)
    folder = many_files(tmp_path / "many", 30)
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").write_bytes(b"picture")
    with monkeypatch.context() as patched:
        patched.setattr(online, "max_files_per_commit", 25_000)
        online.faults.add("/lfs/[0-9a-f]+$", "PUT", "413", times=1)
        with pytest.raises(PublishError, match="answered 413"):
            publish(folder, online)
    result = publish(folder, online)
    assert HfApi(online.url).dataset_info("acme/numbers").sha == result.commit
    assert len(files_on(online)) == 34
    online.faults.add("/commit/", "POST", "413", times=1)
    changed = many_files(tmp_path / "changed", 20)
    with pytest.raises(PublishError, match="answered 413"):
        publish(changed, online)
    publish(many_files(tmp_path / "last", 2), online)
    assert [path for path in files_on(online) if path.startswith(("data/", "pictures/"))] == [
        f"data/train_{number:05d}_of_00002.parquet" for number in range(2)
    ]


@pytest.mark.parametrize("shards", [30, 2])
def test_the_card_of_a_first_push_that_broke_off_says_so_until_a_push_ends(
    shards: int, online: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_branch, "MAX_FILES_PER_COMMIT", 10)
    online.faults.add(f"/lfs/{sha256(b'shard 9').hexdigest()}$", "PUT", "413")  # of the second commit
    with pytest.raises(PublishError, match="answered 413"):
        publish(many_files(tmp_path / "many", 30), online)
    part = card_on(online)
    assert part.data.license == "mit" and "This upload is not finished" in part.text and "# Many" in part.text
    folder = tmp_path / "many" if shards == 30 else many_files(tmp_path / "other", shards)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "The card of")  # this one was not edited by anybody
        publish(folder, online)
    assert card_on(online).content == (folder / "README.md").read_text(encoding="utf-8")
    assert len(files_on(online)) == shards + 3


@pytest.mark.parametrize("header", ["", "---\n---\n", "---\nlicense: mit\n---\n", "---\r\nlicense: mit\r\n---\r\n"])
def test_the_notice_of_an_unfinished_push_leaves_header_and_text_of_a_card_whole(header: str) -> None:
    text = header + "# Many\n\n---\n\nMore\n"
    part = hub_branch._card_of_a_part(text.encode()).decode()
    before, _, after = part.partition("\n> [!WARNING]")
    assert before == header and after.endswith(text.removeprefix(header))


def test_a_hub_that_cannot_check_all_files_in_time_is_given_fewer(
    online: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_branch, "MIN_FILES_PER_COMMIT", 4)
    monkeypatch.setattr(online, "max_files_per_commit", 12)
    publish(many_files(tmp_path / "many", 38), online)
    assert len(files_on(online)) == 38 + 3
    assert sum(status == 504 for _, _, status in online.calls) == 2  # 40 files, then 20


def test_more_files_than_a_folder_takes_are_refused_before_the_network(
    online: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "MAX_FILES_PER_FOLDER", 20)
    with pytest.raises(ValueError, match=r"data holds 21 files, but the Hub takes 20 in one folder.*num_shards"):
        publish(many_files(tmp_path / "many", 21), online)
    assert online.calls == []


@pytest.mark.parametrize("place", ["datasets/org/name", "org/name", "datasets/org/name/tree/main", "org/name.git"])
def test_the_address_of_a_page_is_answered_with_the_name(place: str) -> None:
    with pytest.raises(ValueError, match=r"that is a repository's address; give org/name\.$"):
        publishing.check_repo_id(f"https://huggingface.co/{place}")


def test_a_repository_that_was_renamed_is_followed(dataset_folder: Path, online: HubServer) -> None:
    publish(dataset_folder, online)
    repositories = online.storage.repositories / "datasets" / "acme"
    (repositories / "numbers").rename(repositories / "renamed")
    online.moved["acme/numbers"] = "acme/renamed"
    (dataset_folder / "notes.md").write_text("more", encoding="utf-8")
    publish(dataset_folder, online)
    assert "notes.md" in HfApi(online.url).list_repo_files("acme/renamed", repo_type="dataset")
    assert online.count("PUT", "/lfs/") == 4


def test_a_disabled_repository_is_not_taken_for_a_wrong_token(
    dataset_folder: Path, online: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(dataset_folder, online)

    allowed = online._check_write

    def disabled(call: Call, namespace: str) -> None:
        if "/commit/" in call.path:
            raise HubError(403, "", "Access to this resource is disabled.")
        allowed(call, namespace)

    monkeypatch.setattr(online, "_check_write", disabled)
    (dataset_folder / "notes.md").write_text("more", encoding="utf-8")
    with pytest.raises(PublishError, match=r"the Hub has disabled this repository\. Its page says why"):
        publish(dataset_folder, online)
