"""The router losses by their pinned formulas."""

import math

import pytest
import torch

from modeling_ling.losses import balance_loss, summarise_routing, z_loss


def balanced_logits(top_k: int) -> torch.Tensor:
    """Sixteen tokens over eight experts; each expert is chosen equally often and equally probable on average."""
    logits = torch.zeros(16, 8)
    for token in range(16):
        for offset in range(top_k):
            logits[token, (token + offset) % 8] = 5.0
    return logits


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_balance_loss_is_one_at_perfect_balance_for_every_top_k(top_k):
    assert balance_loss([balanced_logits(top_k)], top_k).item() == pytest.approx(1.0, abs=1e-6)


def test_balance_loss_of_a_collapsed_router_is_experts_over_k():
    collapsed = torch.full((10, 8), -50.0)
    collapsed[:, 3] = 50.0
    assert balance_loss([collapsed], 1).item() == pytest.approx(8.0, abs=1e-5)


def test_balance_loss_follows_the_formula_on_arbitrary_logits():
    logits = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    probabilities = logits.softmax(-1)
    fractions = torch.zeros(6)
    for row in probabilities:
        for expert in row.topk(2).indices:
            fractions[expert] += 1 / 20
    expected = 6 / 2 * (fractions * probabilities.mean(0)).sum()
    torch.testing.assert_close(balance_loss(logits, 2), expected)


def test_losses_are_averaged_over_layers():
    layers = [balanced_logits(2), torch.randn(16, 8, generator=torch.Generator().manual_seed(1))]
    expected = (balance_loss(layers[0], 2) + balance_loss(layers[1], 2)) / 2
    torch.testing.assert_close(balance_loss(layers, 2), expected)
    torch.testing.assert_close(z_loss(layers), (z_loss(layers[0]) + z_loss(layers[1])) / 2)


def test_z_loss_is_the_mean_squared_logsumexp():
    assert z_loss(torch.zeros(4, 8)).item() == pytest.approx(math.log(8) ** 2)


def test_padding_is_excluded_from_both_losses():
    generator = torch.Generator().manual_seed(2)
    real, padding = torch.randn(6, 8, generator=generator), torch.randn(4, 8, generator=generator) * 9
    mask = torch.tensor([[0, 1, 1, 1, 0], [1, 0, 1, 1, 0]])
    mixed = torch.empty(10, 8)
    mixed[mask.reshape(-1) == 1], mixed[mask.reshape(-1) == 0] = real, padding
    torch.testing.assert_close(balance_loss([mixed], 2, mask), balance_loss([real], 2))
    torch.testing.assert_close(z_loss([mixed], mask), z_loss([real]))
    padded, alone = summarise_routing([mixed], 2, mask), summarise_routing([real], 2)
    torch.testing.assert_close(padded.assignments, alone.assignments)
    torch.testing.assert_close(padded.entropy_sums, alone.entropy_sums)


def test_one_gradient_step_on_the_balance_loss_evens_the_load():
    logits = torch.randn(64, 8, generator=torch.Generator().manual_seed(3)) + torch.linspace(0, 2, 8)
    logits.requires_grad_()
    loss = balance_loss([logits], 2)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient.abs().sum() > 0
    assert balance_loss([logits - 200 * gradient], 2) < loss


def test_no_layers_or_no_real_tokens_cost_nothing():
    assert balance_loss([], 2).item() == 0.0
    assert balance_loss([torch.randn(3, 8)], 2, torch.zeros(3)).item() == 0.0
    assert z_loss([torch.randn(3, 8)], torch.zeros(3)).item() == 0.0


def test_a_mask_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="4 values but the router saw 3 tokens"):
        z_loss([torch.randn(3, 8)], torch.ones(4))


def test_load_and_entropy_describe_the_routing():
    assert summarise_routing([balanced_logits(2)], 2).assignments.tolist() == [[16 * 2 / 8] * 8]
    assert summarise_routing([torch.zeros(4, 8)], 2).entropy_sums.item() == pytest.approx(4 * math.log(8))
