"""A push over an earlier one: what a reader loads afterwards is the new content, whole, and what others added stays.

Most cases are reports of how users of huggingface_hub, datasets and transformers met this; they are named by it.
"""

import json
import shutil
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from modeling_ling.hub_branch import MANIFEST_FILE, Kind, stale_files
from modeling_ling.hub_calls import PublishError
from modeling_ling.publishing import publish_files, publish_folder
from tests.hub_server import HubServer

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]

REPOSITORY = "acme/again"
CARD = "---\nlicense: mit\n---\n# Card\n"
ONE = ["model.safetensors"]
FIVE = [f"model-{number:05d}-of-00005.safetensors" for number in range(1, 6)]
INDEX = "model.safetensors.index.json"


def shards(num_shards: int, split: str = "train") -> list[str]:
    return [f"data/{split}_{shard:05d}_of_{num_shards:05d}.parquet" for shard in range(num_shards)]


def folder_of(root: Path, names: list[str], mark: str = "") -> Path:
    """Return a folder with a card and these files; their content says their name and `mark`."""
    folder = root / f"folder_{len(list(root.glob('folder_*')))}"
    folder.mkdir()
    (folder / "README.md").write_text(CARD + mark, encoding="utf-8")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name + mark, encoding="utf-8")
    return folder


def files_on(hub: HubServer, kind: Kind, revision: str | None = None) -> set[str]:
    repo_type = "model" if kind == "model" else "dataset"
    listed = HfApi(hub.url).list_repo_files(REPOSITORY, repo_type=repo_type, revision=revision)
    return set(listed) - {".gitattributes", MANIFEST_FILE, "README.md"}


def add_by_hand(hub: HubServer, kind: Kind, files: Mapping[str, str]) -> None:
    repo_type = "model" if kind == "model" else "dataset"
    api = HfApi(hub.url)
    api.create_repo(REPOSITORY, repo_type=repo_type, exist_ok=True, private=True)
    for path, text in files.items():
        api.upload_file(path_or_fileobj=text.encode(), path_in_repo=path, repo_id=REPOSITORY, repo_type=repo_type)


# What (kind) is pushed one after the other, what somebody adds by hand after the first push, what must be there.
CASES: dict[str, tuple[Kind, list[list[str]], list[str], list[str]]] = {
    "a model of one file, then of five (transformers#16343)": ("model", [ONE, [*FIVE, INDEX]], [], [*FIVE, INDEX]),
    "five files, then one: no stale index (CoSER#3)": ("model", [[*FIVE, INDEX], ONE], [], ONE),
    "fewer files of the same model": ("model", [[*FIVE, INDEX], [FIVE[0], INDEX]], [], [FIVE[0], INDEX]),
    "weights of another kind stay (diffusers#14719)": (
        "model",
        [ONE, [*FIVE, INDEX]],
        ["model.fp16.safetensors", "adapter_model.safetensors", "onnx/model.safetensors"],
        [*FIVE, INDEX, "model.fp16.safetensors", "adapter_model.safetensors", "onnx/model.safetensors"],
    ),
    "a tokenizer that the new model does not have": ("model", [[*ONE, "tokenizer.json"], ONE], [], ONE),
    "shard counts do not pile up (dataset-viewer#1613)": (
        "dataset",
        [shards(3), shards(5), shards(4), shards(2)],
        [],
        shards(2),
    ),
    "a split that is gone (datasets#8367)": (
        "dataset",
        [[*shards(2), *shards(1, "validation")], shards(2)],
        [],
        shards(2),
    ),
    "pictures of an earlier card": ("dataset", [[*shards(1), "pictures/columns.png"], shards(1)], [], shards(1)),
    "files added by hand stay (SPECTRE#49)": (
        "dataset",
        [shards(2), shards(1)],
        ["data/notes.md", "data/extra.csv", "pictures/mine.png", "scripts/read.py"],
        [*shards(1), "data/notes.md", "data/extra.csv", "pictures/mine.png", "scripts/read.py"],
    ),
    "names that are patterns": (
        "results",
        [["details/details_task[x]|0*.parquet"], ["results.json"]],
        ["details/details_taskx|0.parquet"],
        ["results.json", "details/details_taskx|0.parquet"],
    ),
    "a file becomes a folder": ("results", [["samples"], ["samples/humaneval.jsonl"]], [], ["samples/humaneval.jsonl"]),
    "samples of a task that is gone": (
        "results",
        [["samples/a.jsonl", "samples/b.jsonl"], ["samples/a.jsonl"]],
        ["samples/mine.jsonl"],
        ["samples/a.jsonl", "samples/mine.jsonl"],
    ),
    "what tools leave in a folder (huggingface_hub#1402)": (
        "model",
        [[*ONE, ".git/HEAD", ".cache/huggingface/x.lock", "__pycache__/x.pyc", "part-00001.partial"]],
        [],
        ONE,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_there_after_the_last_push(case: str, online: HubServer, tmp_path: Path) -> None:
    kind, pushes, by_hand, expected = CASES[case]
    for number, names in enumerate(pushes):
        publish_folder(folder_of(tmp_path, names, f" {number}"), REPOSITORY, kind=kind, endpoint=online.url)
        if number == 0:
            add_by_hand(online, kind, dict.fromkeys(by_hand, "by hand"))
    assert files_on(online, kind) == set(expected)


@pytest.mark.parametrize(
    ("kind", "by_hand", "pushed", "expected"),
    [
        ("model", ["model.safetensors", "notes.txt"], [*FIVE, INDEX], [*FIVE, INDEX, "notes.txt"]),
        ("model", ["model.safetensors"], ["tokenizer.json"], ["tokenizer.json", "model.safetensors"]),
        ("dataset", [*shards(3), "data/more.parquet"], shards(2), [*shards(2), "data/more.parquet"]),
    ],
)
def test_a_repository_that_others_filled_does_not_shadow_what_is_pushed(
    kind: Kind, by_hand: list[str], pushed: list[str], expected: list[str], online: HubServer, tmp_path: Path
) -> None:
    add_by_hand(online, kind, dict.fromkeys(by_hand, "by hand"))
    publish_folder(folder_of(tmp_path, pushed), REPOSITORY, kind=kind, endpoint=online.url)
    assert files_on(online, kind) == set(expected)


def test_a_file_that_was_deleted_on_the_hub_is_no_trouble(online: HubServer, tmp_path: Path) -> None:
    publish_folder(folder_of(tmp_path, shards(2)), REPOSITORY, endpoint=online.url)
    HfApi(online.url).delete_file(shards(2)[0], REPOSITORY, repo_type="dataset")
    publish_folder(folder_of(tmp_path, shards(1)), REPOSITORY, endpoint=online.url)
    assert files_on(online, "dataset") == set(shards(1))


def test_a_repository_made_anew_starts_from_nothing(online: HubServer, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, shards(2))  # huggingface_hub#3829
    publish_folder(folder, REPOSITORY, endpoint=online.url)
    HfApi(online.url).delete_repo(REPOSITORY, repo_type="dataset")
    publish_folder(folder, REPOSITORY, endpoint=online.url)
    assert files_on(online, "dataset") == set(shards(2))


def test_an_empty_file_arrives(online: HubServer, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, shards(1))  # huggingface_hub#946
    (folder / "data" / "empty.parquet").write_bytes(b"")
    publish_folder(folder, REPOSITORY, endpoint=online.url)
    assert "data/empty.parquet" in files_on(online, "dataset")


def test_a_branch_is_replaced_for_itself(online: HubServer, tmp_path: Path) -> None:
    publish_folder(folder_of(tmp_path, shards(3)), REPOSITORY, endpoint=online.url)
    publish_folder(folder_of(tmp_path, shards(1)), REPOSITORY, revision="small", endpoint=online.url)
    assert files_on(online, "dataset", "small") == set(shards(1))
    assert files_on(online, "dataset") == set(shards(3))


def test_upload_and_deletion_are_one_commit(online: HubServer, tmp_path: Path) -> None:
    for names in (ONE, [*FIVE, INDEX]):
        publish_folder(folder_of(tmp_path, names), REPOSITORY, kind="model", endpoint=online.url)
    assert len(HfApi(online.url).list_repo_commits(REPOSITORY)) == 3, "the creation and two pushes"


def test_two_pushes_at_once_leave_one_of_them_whole(online: HubServer, tmp_path: Path) -> None:
    folders = [folder_of(tmp_path, shards(count), f" {count}") for count in (2, 3, 4)]  # huggingface_hub#1422
    publish_folder(folder_of(tmp_path, shards(6)), REPOSITORY, endpoint=online.url)
    failed: list[BaseException] = []

    def push(folder: Path) -> None:
        try:
            publish_folder(folder, REPOSITORY, endpoint=online.url)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=push, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    there = files_on(online, "dataset")
    assert there in [set(shards(count)) for count in (2, 3, 4)]
    card = HfApi(online.url).hf_hub_download(REPOSITORY, "README.md", repo_type="dataset", cache_dir=tmp_path / "cache")
    assert Path(card).read_text().endswith(f" {len(there)}"), "the card is that of the shards"


def test_a_commit_in_between_is_taken_into_account(online: HubServer, tmp_path: Path) -> None:
    online.faults.add("/commit/", "POST", "412")  # dataset-viewer#1163
    publish_folder(folder_of(tmp_path, shards(1)), REPOSITORY, endpoint=online.url)
    assert [fault[2] for fault in online.faults.injected] == ["412"]
    assert files_on(online, "dataset") == set(shards(1))


def test_a_card_edited_on_the_hub_is_named_before_it_goes(online: HubServer, tmp_path: Path) -> None:
    first = folder_of(tmp_path, shards(1))  # keras-hub#1578
    publish_folder(first, REPOSITORY, endpoint=online.url)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        publish_folder(folder_of(tmp_path, shards(1), " changed"), REPOSITORY, endpoint=online.url)
    add_by_hand(online, "dataset", {"README.md": CARD + "Our own words.\n"})
    edited = HfApi(online.url).dataset_info(REPOSITORY).sha
    with pytest.warns(UserWarning, match=f"edited on the Hub and is replaced now; commit {edited} keeps it"):
        publish_folder(first, REPOSITORY, endpoint=online.url)


def test_asking_for_public_does_not_open_a_private_repository_in_silence(online: HubServer, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, shards(1))  # workspace-hub#3483
    publish_folder(folder, REPOSITORY, endpoint=online.url)
    with pytest.warns(UserWarning, match="is private, and stays so"):
        publish_folder(folder, REPOSITORY, private=False, endpoint=online.url)
    assert HfApi(online.url).dataset_info(REPOSITORY).private


def test_files_that_a_gitignore_swallows_are_named(online: HubServer, tmp_path: Path) -> None:
    add_by_hand(online, "results", {".gitignore": "*.jsonl\n"})  # huggingface_hub#1826
    folder = folder_of(tmp_path, ["results.json", "samples/a.jsonl"])
    with pytest.raises(PublishError, match=r"did not take 1 of 4 files, samples/a\.jsonl among them: a \.gitignore"):
        publish_folder(folder, REPOSITORY, kind="results", endpoint=online.url)


def test_one_kind_is_not_pushed_over_another(online: HubServer, tmp_path: Path) -> None:
    publish_folder(folder_of(tmp_path, shards(2)), REPOSITORY, endpoint=online.url)
    with pytest.raises(ValueError, match=r"acme/again holds a dataset's files .* Give another name"):
        publish_files({"results.json": b"{}"}, REPOSITORY, kind="results", commit_message="x", endpoint=online.url)
    assert files_on(online, "dataset") == set(shards(2))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "dataset", "files": [1]}', '{"kind": "x", "files": []}'])
def test_a_list_of_files_that_cannot_be_read_is_said(text: str, online: HubServer, tmp_path: Path) -> None:
    publish_folder(folder_of(tmp_path, [*shards(2), "ledger.json"]), REPOSITORY, endpoint=online.url)
    add_by_hand(online, "dataset", {MANIFEST_FILE: text})
    with pytest.warns(UserWarning, match=r"published_files\.json of acme/again cannot be read"):
        publish_folder(folder_of(tmp_path, shards(1)), REPOSITORY, endpoint=online.url)
    assert files_on(online, "dataset") == {*shards(1), "ledger.json"}


def test_the_list_of_files_says_what_was_pushed(online: HubServer, tmp_path: Path) -> None:
    publish_folder(folder_of(tmp_path, shards(1)), REPOSITORY, endpoint=online.url)
    path = HfApi(online.url).hf_hub_download(
        REPOSITORY, MANIFEST_FILE, repo_type="dataset", cache_dir=tmp_path / "cache"
    )
    content = json.loads(Path(path).read_text())
    assert content["kind"] == "dataset"
    assert content["files"] == [MANIFEST_FILE, "README.md", *shards(1)]


def test_a_folder_that_was_downloaded_is_pushed_as_it_is(online: HubServer, tmp_path: Path) -> None:
    publish_folder(folder_of(tmp_path, [*ONE, "notes.txt"]), REPOSITORY, kind="model", endpoint=online.url)
    local = tmp_path / "downloaded"
    HfApi(online.url).snapshot_download(REPOSITORY, local_dir=local)
    (local / "notes.txt").unlink()
    publish_folder(local, REPOSITORY, kind="model", endpoint=online.url)
    assert files_on(online, "model") == set(ONE)
    shutil.rmtree(local)


def test_nothing_of_the_repositorys_own_is_ever_stale() -> None:
    assert stale_files("model", there=[".gitattributes"], ours=[".gitattributes"], new=[]) == []


def test_from_pretrained_loads_what_was_pushed_last(
    online: HubServer, run_client: Callable[..., object], tmp_path: Path
) -> None:
    import torch

    from modeling_ling import BailingMoeConfig, BailingMoeForCausalLM
    from modeling_ling.export import export_model

    config = BailingMoeConfig(
        vocab_size=320, hidden_size=32, intermediate_size=32, moe_intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, num_experts=4, num_experts_per_tok=2, num_shared_experts=1,
    )  # fmt: skip
    for gain, size in ((1.0, "5GB"), (2.0, "20KB"), (3.0, "5GB")):
        model = BailingMoeForCausalLM(config)
        torch.nn.init.constant_(model.model.norm.weight, gain)
        folder = tmp_path / f"model_{gain}"
        export_model(model, None, folder, max_shard_size=size)
        (folder / "README.md").write_text(CARD)
        publish_folder(folder, REPOSITORY, kind="model", endpoint=online.url)
        answer = run_client(
            "from transformers import AutoModelForCausalLM\n"
            f"model = AutoModelForCausalLM.from_pretrained({REPOSITORY!r}, trust_remote_code=True)\n"
            "answer = float(model.model.norm.weight[0])"
        )
        assert answer == gain
