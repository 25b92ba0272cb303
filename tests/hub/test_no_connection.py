"""A Hub that cannot be reached is said within seconds; one that is busy or breaks off is asked again."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.utils import _http, close_session

from modeling_ling import hub_client
from modeling_ling.on_import import after_import
from tests.hub_server import HubServer

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def client(online: HubServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The client of our programs, which has asked nobody yet."""
    monkeypatch.setattr(_http, "_GLOBAL_CLIENT_FACTORY", hub_client._client)
    monkeypatch.setattr(hub_client, "SECONDS_TO_SECOND_TRY", 0.0)
    for hosts in ("_answered", "_silent"):
        monkeypatch.setattr(hub_client, hosts, set())
    close_session()
    yield
    close_session()


@pytest.mark.parametrize("endpoint", [NOWHERE, "http://nobody.invalid"])
def test_where_no_hub_is_it_is_not_asked_six_times(endpoint, client, tmp_path):
    with pytest.raises(OSError) as failed:
        hf_hub_download("acme/model", "config.json", endpoint=endpoint, cache_dir=tmp_path)
    assert isinstance(failed.value.__cause__, hub_client.NoConnectionError)
    assert isinstance(failed.value.__cause__.__cause__, httpx.ConnectError)
    with pytest.raises(hub_client.NoConnectionError):
        HfApi(endpoint=endpoint).whoami(token="hf_test")


def test_what_is_in_the_cache_is_read_without_a_hub(client, tmp_path):
    with HubServer(tmp_path / "gone") as hub:
        HfApi(hub.url, token="hf_test").create_repo("acme/model")
        config = {"path_or_fileobj": b"{}", "path_in_repo": "config.json"}
        HfApi(hub.url, token="hf_test").upload_file(repo_id="acme/model", **config)
        where = {"endpoint": hub.url, "cache_dir": tmp_path / "cache", "token": "hf_test"}
        path = hf_hub_download("acme/model", "config.json", **where)
    hub_client._answered.clear()
    assert hf_hub_download("acme/model", "config.json", **where) == path


def test_a_connection_that_was_had_is_worth_more_tries(client):
    hub_client._answered.add("127.0.0.1:9")
    with pytest.raises(httpx.ConnectError):
        HfApi(endpoint=NOWHERE).whoami(token="hf_test")


def test_an_action_follows_an_import_and_costs_none():
    program = (
        "import sys; from modeling_ling.on_import import after_import; done = []; "
        "after_import('colorsys', lambda: done.append('colorsys' in sys.modules)); "
        "assert 'colorsys' not in sys.modules and not done; import colorsys; assert done == [True]; "
        "assert colorsys.hsv_to_rgb and not [f for f in sys.meta_path if 'on_import' in type(f).__module__]"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
    done: list[bool] = []
    after_import("sys", lambda: done.append(True))
    assert done == [True]
