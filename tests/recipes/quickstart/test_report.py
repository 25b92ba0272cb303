"""What the quickstart's report says of scores and of training, as a reader writes it."""

import html
import re

from evals.report.page import Page
from recipes.quickstart.report import add_choice, add_expert_load, add_task

MARGIN = {"mean": 0.012, "interval": [-0.07, 0.1]}
SIDE = {"accuracy": 0.5, "interval": [0.41, 0.604], "margin_nats": MARGIN}
MEASURES = {
    "baseline": SIDE,
    "model": {"accuracy": 0.613, "interval": [0.55, 0.68], "margin_nats": {"mean": 0.05, "interval": [0.02, 0.08]}},
    "n": 240,
    "difference": {"mean": 0.108, "interval": [0.008, 0.214]},
    "p_value": 0.066,
    "num_clusters": 23,
}


def test_before_and_after_stand_in_one_row_and_nothing_is_written_as_python_does():
    page = Page("Report")
    kinds = {"all": {"mean": MEASURES, "pmi": MEASURES}, "code_repair": {"mean": MEASURES}}
    add_choice(page, {"kinds": kinds, "other_kinds": {"mean": MEASURES}, "chance": 0.5}, "Right")
    task = {"metric": "pass@1", "value": 0.5, "n": 4, "interval": [0.1, 0.9], "baselines": {"majority": 0.25}}
    add_task(page, "held_out", {**task, "isolation": "namespaces", "verdicts": {"pass": 2, "fail": 2}})
    add_expert_load(page, {"sft": [{"tokens_seen": 9, "load_max_over_mean": [1.5], "num_dead_experts": 0}]})
    text = html.unescape(page.to_html())
    assert "<td>code repair</td>" in text and len(re.findall("<td[^>]*>240</td>", text)) == 2
    assert "<td>less that without the question</td>" in text
    assert "41.0%\u00a0to\u00a060.4%" in text, "an interval stays on its line"
    for against in ("Against answers to questions of other kinds", "Over all questions"):
        assert f"{against} it beats a coin, and beats the initial weights: +10.8%" in text
    assert "initial weights +0.012 (-0.070 to +0.100), after all stages +0.050 (+0.020 to +0.080)." in text
    assert "Verdicts: pass 2, fail 2." in text and "at the end of each stage: sft 0." in text
    words = re.sub(r"<(style|svg).*?</\1>", "", text, flags=re.DOTALL)
    assert not re.search(r"\{'|\['|\b(None|True|False)\b", words)
