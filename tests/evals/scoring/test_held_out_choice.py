"""A choice between a right and a wrong answer: figures that can be worked out by hand, and a model that learns it."""

import json

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from evals.__main__ import main
from evals.errors import UsageError
from evals.scoring.held_out_choice import (
    CHANCE,
    GROUP_FUNCTIONS,
    compare_choices,
    encode_choices,
    encode_exchanges,
    pool_choices,
)
from evals.scoring.held_out_loss import load_model, load_tokenizer
from modeling_ling.tokenizer import encode_chat

PAIR = {"prompt": "What is 1 + 1?", "chosen": "2", "rejected": "300", "kind": "sum"}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    rows = [
        {"mid": f"{number:03d}", "prompt": f"What is {number} + 1?", "chosen": str(number + 1), "rejected": "no"}
        for number in range(12)
    ]
    rows.append({"mid": "long", "prompt": "why " * 300, "chosen": "a", "rejected": "b"})
    rows.append({"mid": "same", "prompt": "why", "chosen": "a", "rejected": "a"})
    (folder / "data").mkdir()
    parquet.write_table(pa.Table.from_pylist(rows), folder / "data" / "validation_00000_of_00001.parquet")
    return folder


def test_a_model_beside_itself_differs_in_nothing(models, pairs):
    result = compare_choices(str(models[0]), str(models[0]), pairs, max_tokens=200)
    assert set(result["kinds"]) == {"all"}
    assert result["left_out"] == {"longer than 200 tokens": 1, "the answers are the same tokens": 1}
    for measure in ("sum", "mean"):
        figures = result["kinds"]["all"][measure]
        assert figures["n"] == 12
        assert figures["num_clusters"] == 12
        assert figures["difference"]["mean"] == 0.0
        # No pair differs: as wide as twelve observations leave it, not a point.
        assert figures["difference"]["interval"] == pytest.approx([-0.2425, 0.2425], abs=1e-3)
        assert figures["p_value"] == 1.0
        assert figures["margin_difference_nats"] == {"mean": 0.0, "interval": [0.0, 0.0], "p_value": 1.0}
        low, high = figures["model"]["margin_nats"]["interval"]
        assert low < figures["model"]["margin_nats"]["mean"] < high


def test_accuracies_are_those_of_the_models_own_loss(models, pairs):
    import torch

    path = str(models[0])
    tokenizer = load_tokenizer(path, path)
    choices, _ = encode_choices([PAIR], tokenizer, 200, None)
    model = load_model(path)
    sums = []
    for (side,) in (choices[0].chosen, choices[0].rejected):
        ids = torch.tensor([side.input_ids])
        labels = torch.where(torch.tensor([side.scored]), ids, -100)
        sums.append(model(input_ids=ids, labels=labels).loss.item() * sum(side.scored[1:]))
    folder = pairs.parent / "one"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.Table.from_pylist([PAIR]), folder / "data" / "validation_00000_of_00001.parquet")
    figures = compare_choices(path, path, folder)["kinds"]["all"]["sum"]["model"]
    # One pair has no interval.
    assert figures["margin_nats"] == {"mean": pytest.approx(sums[1] - sums[0], abs=1e-3), "interval": None}
    assert figures["accuracy"] == float(sums[1] > sums[0])
    lengths = {"mean": [sum(side.scored) for (side,) in (choices[0].chosen, choices[0].rejected)], "characters": [1, 3]}
    unasked = []
    for answer in ("2", "300"):
        chat = encode_chat(tokenizer, [{"role": "assistant", "content": answer}])
        ids, mask = torch.tensor([chat["input_ids"]]), torch.tensor([chat["assistant_mask"]]).bool()
        loss = model(input_ids=ids, labels=torch.where(mask, ids, -100)).loss.item()
        unasked.append(loss * int(mask.sum()))
    wanted = {name: sums[1] / wrong - sums[0] / right for name, (right, wrong) in lengths.items()}
    wanted["pmi"] = (sums[1] - unasked[1]) - (sums[0] - unasked[0])
    margins = compare_choices(path, path, folder)["choices"][0]["model"]
    assert {name: margins[name] for name in wanted} == pytest.approx(wanted, abs=1e-3)


def result_of(rates, seed=0):
    """What one run would have written: per choice the margin of the model and of the baseline."""
    choices = [
        {
            "name": str(number),
            "kind": "sum",
            "cluster": f"f{number // 2}",
            "other_kinds": False,
            "model": {"mean": after},
            "baseline": {"mean": before},
        }
        for number, (after, before) in enumerate(rates)
    ]
    settings = {"chance": CHANCE, "wrong_answers": "seen to be wrong", "split": "validation"}
    return {"model": f"seed{seed}", "baseline": "initial", **settings, "choices": choices}


def test_runs_are_pooled_by_choice(tmp_path, capsys):
    first = [(1.0, -1.0), (1.0, -1.0), (-1.0, -1.0), (1.0, 1.0), (1.0, -1.0), (-1.0, 1.0)]
    second = [(1.0, -1.0), (-1.0, -1.0), (-1.0, -1.0), (1.0, -1.0), (1.0, -1.0)]
    pooled = pool_choices([result_of(first), result_of(second, 1)])
    figures = pooled["kinds"]["all"]["mean"]
    assert (figures["n"], figures["num_clusters"], pooled["num_left_out"]) == (5, 3, 1)
    assert figures["model"]["accuracy"] == pytest.approx(7 / 10)
    assert figures["baseline"]["accuracy"] == pytest.approx(1 / 10)
    assert figures["difference"]["mean"] == pytest.approx(6 / 10)
    assert figures["model"]["margin_nats"]["mean"] == pytest.approx(0.4)
    assert [run["kinds"]["all"]["mean"]["model"]["accuracy"] for run in pooled["runs"]] == [0.8, 0.6]
    twice = pool_choices([result_of(first), result_of(first)])["kinds"]["all"]["mean"]
    alone = pool_choices([result_of(first)] * 3)["kinds"]["all"]["mean"]
    assert twice == alone, "the same answers again are no further observations"
    files = []
    for name, rates in (("a", first), ("b", second)):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(result_of(rates)), encoding="utf-8")
    assert main(["pool", *map(str, files), "--output", str(tmp_path / "pooled.json")]) == 0
    printed = capsys.readouterr().out
    assert "a.json, all: mean 80.0%" in printed and "all, log-probability per token, n=5 about 3" in printed
    assert json.loads((tmp_path / "pooled.json").read_text(encoding="utf-8"))["kinds"] == pooled["kinds"]
    assert main(["pool", str(files[0])]) == 2
    (tmp_path / "old.json").write_text("{}", encoding="utf-8")
    assert main(["pool", str(files[0]), str(tmp_path / "old.json")]) == 2
    assert "has no choices" in capsys.readouterr().err


def test_runs_of_other_data_are_not_pooled():
    other = result_of([(1.0, 1.0)])
    for record in other["choices"]:
        record["name"] = "another"
    for results, said in (
        ([result_of([(1.0, 1.0)]), other], "no choice was weighed by all"),
        ([result_of([(1.0, 1.0)]), result_of([(1.0, 1.0)]) | {"split": "train"}], "split differs"),
    ):
        with pytest.raises(UsageError, match=said):
            pool_choices(results)


def test_the_command_prints_and_writes_them(models, pairs, tmp_path, capsys):
    output = tmp_path / "choice.json"
    arguments = [
        "--model",
        str(models[1]),
        "--baseline",
        str(models[0]),
        "--data",
        str(pairs),
        "--output",
        str(output),
        "--max-tokens",
        "200",
    ]
    assert main(["choice", *arguments]) == 0
    printed = capsys.readouterr().out
    assert f"chance {CHANCE:.0%}" in printed and "likelier by, in nats: model" in printed
    assert json.loads(output.read_text(encoding="utf-8"))["kinds"]["all"]["sum"]["n"] == 12
    assert main(["choice", *arguments[:4], "--data", str(tmp_path)]) == 2
    assert "validation" in capsys.readouterr().err
    rows = [{"mid": "0", "prompt": "a", "chosen": "b"}]
    (tmp_path / "data").mkdir()
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "data" / "validation_00000_of_00001.parquet")
    assert main(["choice", *arguments[:4], "--data", str(tmp_path)]) == 2
    assert "rejected" in capsys.readouterr().err


def test_only_the_kinds_that_were_asked_for_are_scored(models, tmp_path):
    rows = [{**PAIR, "mid": str(number), "kind": kind} for number, kind in enumerate(["sum", "word", "word", "sum"])]
    rows = [{**row, "prompt": f"{row['prompt']} {row['mid']}"} for row in rows]
    (tmp_path / "data").mkdir()
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "data" / "validation_00000_of_00001.parquet")
    path = str(models[0])
    assert compare_choices(path, path, tmp_path, kinds=["word"])["kinds"].keys() == {"all"}
    every = compare_choices(path, path, tmp_path, kinds=["word", "sum"])["kinds"]
    assert {kind: figures["sum"]["n"] for kind, figures in every.items()} == {"all": 4, "sum": 2, "word": 2}
    with pytest.raises(UsageError, match=r"no words; it has sum, word"):
        compare_choices(path, path, tmp_path, kinds=["words"])


def test_answers_about_one_function_are_one_observation(models, tmp_path):
    """Ten times the same pair, with another number: no better known than one, where they are about one function."""
    folders = {}
    for name, clusters in (("apart", [f"f{number}" for number in range(10)]), ("together", ["f"] * 10)):
        rows = [
            {**PAIR, "mid": str(number), "cluster": cluster, "rejected": f"{number + 3}"}
            for number, cluster in enumerate(clusters)
        ]
        folders[name] = tmp_path / name
        (folders[name] / "data").mkdir(parents=True)
        parquet.write_table(pa.Table.from_pylist(rows), folders[name] / "data" / "validation_00000_of_00001.parquet")
    path, other = str(models[0]), str(models[1])
    apart, together = (compare_choices(path, other, folder)["kinds"]["all"]["sum"] for folder in folders.values())
    assert (apart["n"], apart["num_clusters"]) == (10, 10)
    assert (together["n"], together["num_clusters"]) == (10, 1)
    assert together["model"]["accuracy"] == apart["model"]["accuracy"]
    assert together["p_value"] == 1.0
    margins = [side["margin_difference_nats"] for side in (apart, together)]
    assert margins[0]["mean"] == margins[1]["mean"]
    assert margins[0]["interval"] and margins[1]["interval"] is None
    widths = [side["interval"][1] - side["interval"][0] for side in (apart["model"], together["model"])]
    assert widths[1] > widths[0]


def conversations(number):
    """Two kinds of questions about each of some functions, the second after an earlier answer."""
    for function in range(number):
        for kind in ("sum", "word"):
            earlier = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
            asked = {"role": "user", "content": f"{kind} of {function}?"}
            answer = {"role": "assistant", "content": f"{kind} {function}"}
            messages = [*(earlier if kind == "word" else []), asked, answer]
            yield {"mid": f"{function} {kind}", "kind": kind, "cluster": f"f{function}", "messages": messages}


def test_each_answer_is_right_once_and_wrong_once_within_a_group_of_functions(models):
    tokenizer = load_tokenizer(str(models[0]), str(models[0]))
    choices, left_out = encode_exchanges(list(conversations(10)), tokenizer, 200, None)
    assert len(choices) == 10 and not left_out
    across, _ = encode_exchanges(list(conversations(10)), tokenizer, 200, None, across_kinds=True)
    words = [{tokenizer.decode(side.input_ids).count("word of") for side in choice.chosen} for choice in across]
    assert len(across) == 10 and words == [{0, 1}] * 10, "one of each kind"
    groups = {}
    for choice in choices:
        answers = [
            [
                tokenizer.decode([i for i, flag in zip(side.input_ids, side.scored, strict=True) if flag])
                for side in sides
            ]
            for sides in (choice.chosen, choice.rejected)
        ]
        assert sorted(answers[0]) == sorted(answers[1]) and answers[0] != answers[1]
        functions = {int(answer.split()[1].split("<")[0]) for answer in answers[0]}
        assert len(functions) == 2 and all(answer.startswith(choice.kind) for answer in answers[0])
        groups.setdefault(choice.cluster, set()).update(functions)
    assert [len(functions) for functions in groups.values()] == [GROUP_FUNCTIONS, GROUP_FUNCTIONS, 2]
    alone, left_out = encode_exchanges(list(conversations(1)), tokenizer, 200, None)
    assert not alone and left_out == {"no other question of the kind in its group of functions": 2}


def test_the_command_exchanges_answers(models, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    table = pa.Table.from_pylist(list(conversations(4)))
    parquet.write_table(table, tmp_path / "data" / "validation_00000_of_00001.parquet")
    arguments = ["choice", "--model", str(models[1]), "--baseline", str(models[0]), "--data", str(tmp_path)]
    assert main([*arguments, "--exchange", "--output", str(tmp_path / "exchange.json")]) == 0
    result = json.loads((tmp_path / "exchange.json").read_text(encoding="utf-8"))
    assert result["wrong_answers"] == "of other questions"
    assert {kind: figures["mean"]["n"] for kind, figures in result["kinds"].items()} == {"all": 4, "sum": 2, "word": 2}
    assert main(arguments) == 2  # there are no rejected answers
    assert "rejected" in capsys.readouterr().err
