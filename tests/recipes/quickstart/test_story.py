"""The quickstart's commands: what a seed changes, and what it leaves."""

from pathlib import Path

from recipes.quickstart.story import SCALES, STAGES, story


def test_a_seed_is_of_weights_and_training_alone() -> None:
    first, second = (story(Path("out"), SCALES["smoke"], None, 2, seed) for seed in (0, 7))
    changed = [step.name for step, other in zip(first, second, strict=True) if step != other]
    assert changed == ["initial_model", *(f"train_{stage}" for stage in STAGES)]
    for step in second:
        assert (step.name not in changed) or step.command[step.command.index("--seed") + 1] == "7"
