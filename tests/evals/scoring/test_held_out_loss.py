"""The held-out loss is the model's own: batches and padding change nothing, and training lowers it."""

import pytest

from evals.report.statistics import paired_bootstrap
from evals.scoring.held_out_loss import ScoredRow, load_model, load_rows, row_losses, tokenize_row, tokenize_rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scored_rows(models, held_out):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(models[0], trust_remote_code=True)
    return tokenize_rows(load_rows(held_out, "train"), tokenizer, 1024, None)[0]


def test_only_the_assistants_words_count(models):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(models[0], trust_remote_code=True)
    messages = [{"role": "user", "content": "f(1)?"}, {"role": "assistant", "content": "42"}]
    row = tokenize_row({"messages": messages}, tokenizer)
    counted = [token for token, scored in zip(row.input_ids, row.scored, strict=True) if scored]
    assert tokenizer.decode(counted) == "42" + tokenizer.eos_token
    assert all(tokenize_row({"text": "abc"}, tokenizer).scored)
    with pytest.raises(ValueError, match="none of messages, text and content"):
        tokenize_row({"other": 1}, tokenizer)


def test_batches_of_different_lengths_give_each_rows_own_loss(models, scored_rows):
    import torch

    model = load_model(str(models[0]))
    for batch_size in (1, 5):
        losses = row_losses(model, scored_rows, batch_size)
        for row, loss in zip(scored_rows, losses, strict=True):
            ids = torch.tensor([row.input_ids])
            labels = torch.where(torch.tensor([row.scored]), ids, -100)
            assert loss == pytest.approx(model(input_ids=ids, labels=labels).ce_loss.item(), abs=1e-4)


def test_answers_to_one_question_have_the_loss_that_each_has_alone(models):
    """Of any lengths, among rows with questions of their own, beside texts, and more than a batch takes."""
    import random

    generator = random.Random(0)
    question, other = ([generator.randrange(9, 90) for _ in range(length)] for length in (30, 7))
    rows = []
    for asked, length in [(question, n) for n in (1, 5, 3, 24, 80)] + [(other, 4), (other, 2), ([], 12), ([], 9)]:
        answer = [generator.randrange(9, 90) for _ in range(length)]
        rows.append(ScoredRow([*asked, *answer], [False] * len(asked) + [True] * length))
    rows.append(ScoredRow(rows[1].input_ids, [*rows[1].scored[:-2], False, True]))  # a token in between does not count
    model = load_model(str(models[1]))
    alone = [row_losses(model, [row], 1)[0] for row in rows]
    for batch_size in (2, 3, 16):
        assert row_losses(model, rows, batch_size) == pytest.approx(alone, abs=1e-5)
    model.config._attn_implementation = "eager"  # each question anew
    assert row_losses(model, rows, 16) == pytest.approx(alone, abs=1e-5)


def test_a_few_training_steps_lower_it_beyond_doubt(models, scored_rows):
    import torch

    model = load_model(str(models[0]))
    before = row_losses(model, scored_rows, 4)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(8):
        for row in scored_rows:
            ids = torch.tensor([row.input_ids])
            model(input_ids=ids, labels=torch.where(torch.tensor([row.scored]), ids, -100)).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    after = row_losses(model.eval(), scored_rows, 4)
    low, high = paired_bootstrap([new - old for new, old in zip(after, before, strict=True)])
    assert low < high < 0


def test_a_split_that_is_not_there_is_named(held_out):
    with pytest.raises(ValueError, match="no data/test_"):
        load_rows(held_out, "test")
