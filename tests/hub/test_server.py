"""The loopback Hub speaks the protocol that the real client library speaks."""

from pathlib import Path

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from tests.hub_server import HubServer

# huggingface_hub hands file objects to httpx under an argument that httpx renames.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]

REPO = "acme/files"


@pytest.fixture
def api(online: HubServer) -> HfApi:
    """A client with a private model repository that holds five small files."""
    client = HfApi(online.url)
    client.create_repo(REPO, private=True)
    files = {f"folder/file {n}.txt": f"content {n}".encode() for n in range(5)}
    client.create_commit(
        REPO, [CommitOperationAdd(path, content) for path, content in files.items()], commit_message="a"
    )
    return client


def read(api: HfApi, path: str, tmp_path: Path, revision: str | None = None) -> bytes:
    cached = hf_hub_download(REPO, path, revision=revision, cache_dir=tmp_path / "cache", endpoint=api.endpoint)
    return Path(cached).read_bytes()


def test_a_long_listing_comes_in_pages(api: HfApi, online: HubServer) -> None:
    files = api.list_repo_files(REPO)
    assert sorted(files) == [".gitattributes", *(f"folder/file {n}.txt" for n in range(5))]
    assert online.count("GET", "/tree/main") == 4, "six files and a folder, two to a page"
    folders = [entry.path for entry in api.list_repo_tree(REPO)]
    assert folders == [".gitattributes", "folder"]


def test_old_commits_keep_their_files(api: HfApi, tmp_path: Path) -> None:
    before = api.model_info(REPO).sha
    changes = [CommitOperationAdd("folder/file 0.txt", b"changed"), CommitOperationDelete("folder/file 1.txt")]
    after = api.create_commit(REPO, changes, commit_message="b").oid
    assert read(api, "folder/file 0.txt", tmp_path, before) == b"content 0"
    assert read(api, "folder/file 1.txt", tmp_path, before) == b"content 1"
    assert read(api, "folder/file 0.txt", tmp_path) == read(api, "folder/file 0.txt", tmp_path, after) == b"changed"
    with pytest.raises(EntryNotFoundError):
        read(api, "folder/file 1.txt", tmp_path)
    assert [commit.title for commit in api.list_repo_commits(REPO)] == ["b", "a", "initial commit"]


def test_branches_tags_and_pull_requests_are_revisions(api: HfApi, tmp_path: Path) -> None:
    start = api.model_info(REPO).sha
    api.create_branch(REPO, branch="feature/x")
    api.create_tag(REPO, tag="v1")
    api.upload_file(path_or_fileobj=b"branch", path_in_repo="new.txt", repo_id=REPO, revision="feature/x")
    request = api.upload_file(path_or_fileobj=b"request", path_in_repo="new.txt", repo_id=REPO, create_pr=True)
    assert request.pr_revision == "refs/pr/1"
    assert read(api, "new.txt", tmp_path, "feature/x") == b"branch"
    assert read(api, "new.txt", tmp_path, "refs/pr/1") == b"request"
    with pytest.raises(EntryNotFoundError):
        read(api, "new.txt", tmp_path, "v1")
    refs = api.list_repo_refs(REPO, include_pull_requests=True)
    assert {branch.name for branch in refs.branches} == {"main", "feature/x"}
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [("v1", start)]
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_branch(REPO, branch="feature/x")
    api.delete_branch(REPO, branch="feature/x")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(REPO, revision="feature/x")


@pytest.mark.parametrize("lfs_redirect", [True, False])
def test_large_files_go_up_in_parts_and_come_down_whole(
    api: HfApi, online: HubServer, lfs_redirect: bool, tmp_path: Path
) -> None:
    online.multipart_chunk_bytes = 1000
    online.lfs_redirect = lfs_redirect
    content = bytes(range(256)) * 17
    api.upload_file(path_or_fileobj=content, path_in_repo="model.safetensors", repo_id=REPO)
    assert online.count("PUT", "/part/[1-5]$") == 5
    assert read(api, "model.safetensors", tmp_path) == content
    snapshot = Path(snapshot_download(REPO, cache_dir=tmp_path / "snapshot", endpoint=api.endpoint))
    assert (snapshot / "model.safetensors").read_bytes() == content
    assert (snapshot / "folder" / "file 4.txt").read_bytes() == b"content 4"


def test_ranges_are_answered_in_part(api: HfApi, online: HubServer) -> None:
    url = f"{online.url}/{REPO}/resolve/main/folder/file%200.txt"
    for wanted, expected in (("bytes=0-6", b"content"), ("bytes=8-", b"0"), ("bytes=-1", b"0"), ("bytes=7-999", b" 0")):
        answer = httpx.get(url, headers={"Range": wanted, "Authorization": "Bearer hf_test"})
        assert (answer.status_code, answer.content) == (206, expected)
    assert httpx.get(url, headers={"Range": "bytes=99-", "Authorization": "Bearer hf_test"}).status_code == 416


def test_a_private_repository_needs_the_token(api: HfApi, online: HubServer) -> None:
    stranger = HfApi(online.url, token=False)
    with pytest.raises(RepositoryNotFoundError):
        stranger.model_info(REPO)
    with pytest.raises(RepositoryNotFoundError):
        stranger.model_info("acme/missing")
    api.update_repo_settings(REPO, private=False)
    assert stranger.model_info(REPO).private is False
    with pytest.raises(HfHubHTTPError, match="401"):
        stranger.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=REPO)
    assert HfApi(online.url, token="hf_read").whoami()["auth"]["accessToken"]["role"] == "read"


def test_a_deleted_repository_is_gone(api: HfApi) -> None:
    api.delete_repo(REPO)
    assert not api.repo_exists(REPO)


def test_a_commit_on_an_old_parent_is_refused(api: HfApi) -> None:
    old = api.model_info(REPO).sha
    api.upload_file(path_or_fileobj=b"1", path_in_repo="x.txt", repo_id=REPO)
    with pytest.raises(HfHubHTTPError, match="412"):
        api.upload_file(path_or_fileobj=b"2", path_in_repo="x.txt", repo_id=REPO, parent_commit=old)


def test_bytes_that_are_not_what_was_promised_are_refused(online: HubServer) -> None:
    answer = httpx.put(f"{online.url}/lfs/{'0' * 64}", content=b"something else")
    assert answer.status_code == 400
    assert online.storage.blobs.names() == set()


def test_an_unknown_kind_of_fault_is_refused(online: HubServer) -> None:
    with pytest.raises(ValueError, match="kind is 'explosion'"):
        online.faults.add("/", kind="explosion")
