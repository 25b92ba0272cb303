"""What cannot be read from the Hub is said in one sentence that names the cause and what to do."""

import errno
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from huggingface_hub import HfApi, constants, hf_hub_download, hf_hub_url
from huggingface_hub.file_download import http_get

from datasets_builders.building.errors import ConfigError
from datasets_builders.sources.hub import hub_tables
from modeling_ling.command_line import guarded
from modeling_ling.hub_calls import PublishError
from modeling_ling.hub_client import NoConnectionError
from modeling_ling.hub_reading import hub_failure
from modeling_ling.push_options import check_right_to_write
from tests.hub_server import EXPIRED_TOKEN, HubServer


@pytest.fixture
def filled(online: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """A Hub with a model and a dataset, an open and a gated one of each, and a private model; an empty cache."""
    api = HfApi(endpoint=online.url)
    for name in ("open", "gated", "private"):
        model, dataset = f"acme/{name}-model", f"acme/{name}-data"
        api.create_repo(model, private=name == "private")
        api.create_repo(dataset, repo_type="dataset")
        config = json.dumps({"model_type": "llama"}).encode()
        api.upload_file(repo_id=model, path_in_repo="config.json", path_or_fileobj=config)
        rows = b'{"text": "x = 1"}\n'
        api.upload_file(repo_id=dataset, path_in_repo="rows.jsonl", path_or_fileobj=rows, repo_type="dataset")
    api.create_tag("acme/open-model", tag="v1")
    online.gated |= {"acme/gated-model", "acme/gated-data"}
    monkeypatch.setattr(constants, "ENDPOINT", online.url)
    template = online.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return online


def fetch(name: str, hub: HubServer, cache: Path, **more: str) -> None:
    hf_hub_download(name, "config.json", endpoint=hub.url, cache_dir=cache, **more)


@pytest.mark.parametrize(
    ("name", "token", "more", "wanted"),
    [
        ("acme/open-data", "hf_test", {}, "acme/open-data is a dataset on the Hub, and a model is wanted"),
        (
            "acme/open-model",
            "hf_test",
            {"repo_type": "dataset"},
            "acme/open-model is a model on the Hub, and a dataset",
        ),
        ("acme/gated-model", "hf_test", {}, "acme/gated-model is gated: ask for access"),
        ("acme/gated-model", "", {}, "acme/gated-model is gated: `hf auth login`"),
        ("acme/private-model", "", {}, "no model acme/private-model, or it is private: `hf auth login`"),
        ("acme/nothing", "hf_test", {}, "no model acme/nothing that this token may read"),
        ("acme/open-model", EXPIRED_TOKEN, {}, "token has expired"),
        ("acme/open-model", "hf_made_up", {}, "the Hub does not know the token"),
        ("acme/open-model", "hf_test", {"revision": "v2"}, "no revision 'v2'; there are main, v1"),
        (
            "acme/open-data",
            "hf_test",
            {"repo_type": "dataset"},
            "does not hold what is wanted; it was asked for config.json",
        ),
    ],
)
def test_what_the_hub_refuses_is_said_with_what_to_do(name, token, more, wanted, filled, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", token)
    code = guarded(lambda: fetch(name, filled, tmp_path / "cache", **more) or 0, "program")
    said = capsys.readouterr().err
    assert code == 2
    assert wanted in said and said.count("\n") == 1


@pytest.mark.parametrize(("kind", "wanted"), [("429", "too many requests"), ("503", "answers 503")])
def test_a_busy_hub_is_no_mistake_of_the_user(kind, wanted, filled):
    filled.faults.add("/api/datasets/acme/open-data", kind=kind, times=99)
    with pytest.raises(ConfigError, match=wanted):
        hub_tables("hf://datasets/acme/open-data")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("open-model", "is a model on the Hub, and a dataset is wanted"),
        ("gated-data", "gated-data is gated"),
        ("open-data@v2", "no revision 'v2'"),
    ],
)
def test_sources_say_so_before_the_build(name, wanted, filled):
    with pytest.raises(ConfigError, match=wanted):
        hub_tables(f"hf://datasets/acme/{name}")


def test_a_renamed_repository_is_followed(filled):
    filled.moved["acme/older"] = "acme/open-data"
    assert len(hub_tables("hf://datasets/acme/older")[1]) == 1


def test_offline_is_told_from_a_network_that_is_gone(filled, tmp_path, monkeypatch):
    with pytest.raises((httpx.TransportError, NoConnectionError)) as gone:
        HfApi(endpoint="http://127.0.0.1:9").model_info("acme/open-model")
    # The address that was asked is named, whatever the environment says.
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    assert "no connection to http://127.0.0.1:9" in str(hub_failure(gone.value))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError) as offline:
        fetch("acme/open-model", filled, tmp_path)
    assert "HF_HUB_OFFLINE is set" in str(hub_failure(offline.value))


def test_a_full_disk_under_the_cache_names_the_cache(filled):
    address = hf_hub_url("acme/open-data", "rows.jsonl", repo_type="dataset", endpoint=filled.url)
    with open("/dev/full", "wb", buffering=0) as file, pytest.raises(OSError) as failed:
        http_get(address, file)
    assert "no space left for the Hub's cache" in str(hub_failure(failed.value))


def test_errors_of_our_own_keep_their_words():
    assert hub_failure(FileNotFoundError("no such file")) is None
    assert hub_failure(OSError(errno.ENOSPC, "No space left on device")) is None, "a disk of ours, not the cache's"


class LoginPage(BaseHTTPRequestHandler):
    """What a guest network answers to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Log in to the guest network</html>")

    def log_message(self, *words: object) -> None:
        pass


def test_a_page_of_a_proxy_is_no_hub(online, monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), LoginPage) as proxy:
        Thread(target=proxy.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{proxy.server_port}")
        with pytest.raises(PublishError, match="is not the Hub"):
            check_right_to_write("acme/rows")
        proxy.shutdown()
