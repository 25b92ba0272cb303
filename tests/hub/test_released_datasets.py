"""Released datasets pushed to the Hub and pulled from it: what the card says runs, and the recipes read the rows."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import HfApi

from datasets_builders.building.verdicts import publish_dataset
from datasets_builders.released.dpo import DPOBuilder, DPOConfig
from datasets_builders.released.sft import SFTBuilder, SFTConfig, empty_value
from modeling_ling.publishing import publish_folder
from modeling_ling.tokenizer import train_tokenizer
from tests.hub_server import HubServer

# huggingface_hub hands file objects to httpx under an argument that httpx renames.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]
RunClient = Callable[..., Any]

PROGRAM = "def add(a, b):\n    return a + b\n"
READ = """
from transformers import AutoTokenizer
from recipes.data.chat_rows import ChatSettings, open_chat_store
from recipes.data.chat_sources import ChatSource
tokenizer = AutoTokenizer.from_pretrained({tokenizer!r})
def read(dataset):
    store = open_chat_store(ChatSource(dataset), ChatSettings({kind!r}, 512), tokenizer, {cache!r}, 1)
    return [store.fingerprint, store.description["num_kept"]]
answer["recipes"] = [read({folder!r}), read({name!r})]
"""


def questions(folder: Path) -> Path:
    """Write a synthetic_qa dataset of execution predictions."""
    from datasets_builders.released.synthetic_qa import question_features

    empty = {name: empty_value(kind) for name, kind in question_features().items()}
    rows = []
    for number in range(40):
        question, answer = f"{PROGRAM}\nWhat does `add({number}, 1)` return?", str(number + 1)
        row: dict[str, Any] = empty | {"wrong_answers": [str(number * 7 - 5)]}
        rows.append(
            row
            | {
                "mid": f"{number:032x}",
                "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
                "tags": ["execution_prediction", "python"],
                "languages": ["Python"],
                "kind": "execution_prediction",
                "function": "add",
                "cluster": f"{number:032x}",
                "code": PROGRAM,
                "call": f"add({number}, 1)",
                "answer": answer,
            }
        )
    (folder / "data").mkdir(parents=True)
    schema = question_features().arrow_schema
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "data" / "train_00000_of_00001.parquet")
    return folder


def card_code(hub: HubServer, name: str, tmp_path: Path) -> str:
    """Return the Python of the card as it lies on the Hub."""
    path = HfApi(hub.url).hf_hub_download(name, "README.md", repo_type="dataset", local_dir=tmp_path / "card")
    (code,) = re.findall(r"```python\n(.*?)```", Path(path).read_text(encoding="utf-8"), re.DOTALL)
    return str(code)


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_the_code_of_the_card_runs_and_the_recipes_read_the_rows(
    kind: str, online: HubServer, run_client: RunClient, tmp_path: Path
) -> None:
    folder, name = tmp_path / "built", f"acme/{kind}"
    fields: dict[str, Any] = {
        "output_dir": str(folder),
        "input": str(questions(tmp_path / "questions")),
        "num_tasks": 2,
    }
    if kind == "sft":
        result = SFTBuilder(SFTConfig(**fields)).run()
    else:
        result = DPOBuilder(DPOConfig(**fields)).run()
    publish_dataset(folder, name, endpoint=online.url)
    code = card_code(online, name, tmp_path)
    assert f'load_dataset("{name}")' in code
    train_tokenizer([PROGRAM * 5], 400).save_pretrained(tmp_path / "tokenizer")
    paths = {"tokenizer": str(tmp_path / "tokenizer"), "cache": str(tmp_path / "rows"), "folder": str(folder)}
    code += "answer = {'rows': dataset['train'].num_rows, 'columns': dataset['train'].column_names[:4]}\n"
    answer = run_client(code + READ.format(kind=kind, name=name, **paths))
    released = {"sft": ["mid", "messages", "tags", "languages"], "dpo": ["mid", "prompt", "chosen", "rejected"]}
    assert answer["columns"] == released[kind]
    assert answer["rows"] == result.num_rows["train"] > 0
    assert answer["recipes"][0] == answer["recipes"][1] and answer["recipes"][0][1] == answer["rows"]


BUILD = """
from datasets_builders.building import ConfigError
from datasets_builders.released.sft import SFTBuilder, SFTConfig
def build(name, **source):
    entry = {{"dataset": name, "category": "math", **source}}
    builder = SFTBuilder(SFTConfig(output_dir={output!r}, sources=[entry], decontaminate=[], num_tasks=1))
    return [builder.run().num_rows, builder.input_fingerprint()["sources"]]
answer = {{"hub": build("acme/math"), "fallback": build("acme/maths", fallback={folder!r})}}
try:
    build("acme/maths")
except ConfigError as error:
    answer["none"] = str(error)
"""


def test_a_source_on_the_hub_is_read_pinned_and_one_that_is_not_there_says_what_to_do(
    online: HubServer, run_client: RunClient, tmp_path: Path
) -> None:
    rows = [{"instruction": f"What is {n} + {n}?", "output": f"It is {2 * n}, of course."} for n in range(20)]
    folder = tmp_path / "math"
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), folder / "train-00000-of-00001.parquet")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n", encoding="utf-8")
    publish_folder(folder, "acme/math", endpoint=online.url)
    answer = run_client(BUILD.format(output=str(tmp_path / "sft"), folder=str(folder)))
    num_rows, (source,) = answer["hub"]
    assert num_rows == answer["fallback"][0] == {"train": 20}
    assert source["files"][0][1] == HfApi(online.url).dataset_info("acme/math").sha
    assert "acme/maths is no folder here and cannot be had from the Hub" in answer["none"]
    assert "give `fallback`" in answer["none"]
