"""Pairs judged by a teacher: a real server on loopback, rows that the recipe for judges takes."""

import json
from pathlib import Path

from datasets import load_dataset

from datasets_builders.code_related.code_comment_pairs.builder import CodeCommentPairsBuilder, CodeCommentPairsConfig
from datasets_builders.code_related.code_comment_pairs.judgement import PairJudgementsBuilder, PairJudgementsConfig
from tests.openai_server import MODEL, RuleServer


def judgement(messages: list[dict[str, str]]) -> str:
    """Judge by whether the comment names the function; once, on a text about four, forget the form."""
    asked = messages[0]["content"]
    if "number_4" in asked and len(messages) == 1:
        return "It is consistent."
    if "number_5" in asked:
        return json.dumps({"lines": "x", "summary": " ", "review": "x", "consistent": True})
    texts = {"lines": "It returns.", "summary": "A sum.", "review": "They agree."}
    return json.dumps(texts | {"consistent": "number_2" not in asked})


def test_a_teacher_judges_and_its_reasoning_is_kept(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for number in range(6):
        (project / f"part_{number}.py").write_text(
            f"def number_{number}(values):\n"
            f'    """Return {"the sum" * (number + 1)} of what is given, for the report."""\n'
            f"    return sum(values, start={number}) * len(values) ** {number}\n"
        )
    pairs = tmp_path / "pairs"
    fields = {"input_dir": str(project), "decontaminate": [], "near_dedup_threshold": 1.0}
    CodeCommentPairsBuilder(CodeCommentPairsConfig(output_dir=str(pairs), **fields)).run()  # type: ignore[arg-type]
    with RuleServer(judgement) as server:
        teachers = [{"model": MODEL, "base_url": server.url}]
        rows = {}
        for num_pairs in (3, 6):
            config = PairJudgementsConfig(
                output_dir=str(tmp_path / "judged"), input=str(pairs), num_pairs=num_pairs, teachers=teachers
            )
            result = PairJudgementsBuilder(config).run()
            rows[num_pairs] = list(load_dataset(str(result.output_dir), split="train"))
        asked_once = [body for body in server.asked if len(body["messages"]) == 1]
    assert {row["id"] for row in rows[3]} <= {row["id"] for row in rows[6]}
    assert len(rows[6]) == 5 and result.ledger.step("judge_pairs").reasons == {"malformed_answer": 1}
    assert len(asked_once) == 6, "what was answered for three pairs is not asked for again"
    assert {row["code"].split("(")[0]: row["verdict"] for row in rows[6]} == {
        f"def number_{number}": number != 2 for number in (0, 1, 2, 3, 4)
    }
    assert rows[6][0]["chain"] == "Lines: It returns.\n\nSummary: A sum.\n\nReview: They agree."
    assert {row["teacher"] for row in rows[6]} == {MODEL}
