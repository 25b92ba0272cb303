"""The model against a slow, obvious float64 implementation that reads a checkpoint in the released layout.

The reference works on one unpadded sequence at a time, one token and one expert at a time, and knows nothing of the
code under test but the tensor names. Tolerances: 1e-5 on logits and losses, relative 1e-4 on every gradient; looser
ones would let known wrong variants pass (norm over rows, sigmoid scores, interleaved rotary, no renormalisation).
"""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file


class Reference:
    def __init__(self, folder: Path, config) -> None:
        self.config = config
        self.weights = {
            name: tensor.double().requires_grad_() for name, tensor in load_file(folder / "model.safetensors").items()
        }

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.weights[name]

    def norm(self, x, weight):
        return torch.stack([row / torch.sqrt((row * row).mean() + self.config.rms_norm_eps) for row in x]) * weight

    def rotate(self, vector, position):
        half = self.config.head_dim // 2
        rope = self.config.rope_parameters
        out = [None] * (2 * half)
        for i in range(half):
            angle = position / rope["rope_theta"] ** (2 * i / self.config.head_dim) / rope.get("factor", 1.0)
            a, b = vector[i], vector[i + half]
            out[i] = a * math.cos(angle) - b * math.sin(angle)
            out[i + half] = b * math.cos(angle) + a * math.sin(angle)
        return torch.stack(out)

    def attention(self, x, prefix):
        c, size = self.config, self.config.head_dim
        queries, keys = c.num_attention_heads, c.num_key_value_heads
        fused = x @ self[f"{prefix}.query_key_value.weight"].T
        if c.use_qkv_bias:
            fused = fused + self[f"{prefix}.query_key_value.bias"]
        q, k, v = fused.split([queries * size, keys * size, keys * size], dim=-1)
        blocks = [slice(head * size, (head + 1) * size) for head in range(queries)]
        rotated = [[self.rotate(k[s, blocks[group]], s) for s in range(len(x))] for group in range(keys)]
        rows = []
        for t in range(len(x)):
            heads = []
            for head in range(queries):
                group = head // (queries // keys)
                query = self.rotate(q[t, blocks[head]], t)
                past = [(query @ rotated[group][s]) / math.sqrt(size) for s in range(t + 1)]
                weights = torch.softmax(torch.stack(past), dim=0)
                heads.append(sum(weights[s] * v[s, blocks[group]] for s in range(t + 1)))
            rows.append(torch.cat(heads))
        out = torch.stack(rows) @ self[f"{prefix}.dense.weight"].T
        return out + self[f"{prefix}.dense.bias"] if c.use_bias else out

    def mlp(self, x, prefix):
        gate = x @ self[f"{prefix}.gate_proj.weight"].T
        up = x @ self[f"{prefix}.up_proj.weight"].T
        return (gate * torch.sigmoid(gate) * up) @ self[f"{prefix}.down_proj.weight"].T

    def experts(self, x, prefix):
        c = self.config
        logits = x @ self[f"{prefix}.gate.weight"].T
        rows = []
        for token, scores in zip(x, torch.softmax(logits, dim=-1), strict=True):
            chosen = sorted(range(c.num_experts), key=lambda e: -scores[e].item())[: c.num_experts_per_tok]
            total = sum(scores[e] for e in chosen) if c.norm_topk_prob and len(chosen) > 1 else 1.0
            row = sum(scores[e] / total * self.mlp(token, f"{prefix}.experts.{e}") for e in chosen)
            if c.num_shared_experts:
                row = row + self.mlp(token, f"{prefix}.shared_experts")
            rows.append(row)
        return torch.stack(rows), logits

    def sequence(self, ids):
        """Return logits (T, V) and the router logits of every MoE layer for one sequence."""
        x, router = self["model.word_embeddings.weight"][ids], []
        for layer in range(self.config.num_hidden_layers):
            prefix = f"model.layers.{layer}"
            x = x + self.attention(self.norm(x, self[f"{prefix}.input_layernorm.weight"]), f"{prefix}.attention")
            normed = self.norm(x, self[f"{prefix}.post_attention_layernorm.weight"])
            if layer < self.config.first_k_dense_replace:
                x = x + self.mlp(normed, f"{prefix}.mlp")
            else:
                out, logits = self.experts(normed, f"{prefix}.mlp")
                x = x + out
                router.append(logits)
        head = self["lm_head.weight"]
        if self.config.norm_head:
            columns = [head[:, j].detach().pow(2).sum().sqrt() for j in range(head.shape[1])]
            head = head / (torch.stack(columns) + 1e-7)
        return self.norm(x, self["model.norm.weight"]) @ head.T, router

    def losses(self, sequences):
        """Return logits per sequence, then cross-entropy, balance and z over all sequences."""
        c = self.config
        outputs = [self.sequence(ids) for ids in sequences]
        nll = [
            -torch.log_softmax(logits[t], dim=-1)[ids[t + 1]]
            for ids, (logits, _) in zip(sequences, outputs, strict=True)
            for t in range(len(ids) - 1)
        ]
        balances, zs = [], []
        for layer in range(c.num_hidden_layers - c.first_k_dense_replace):
            logits = torch.cat([router[layer] for _, router in outputs])
            probabilities = torch.softmax(logits, dim=-1)
            balance = 0.0
            top = [set(row.topk(c.num_experts_per_tok).indices.tolist()) for row in probabilities]
            for expert in range(c.num_experts):
                fraction = sum(expert in chosen for chosen in top) / len(top)
                balance = balance + fraction * probabilities[:, expert].mean()
            balances.append(c.num_experts / c.num_experts_per_tok * balance)
            zs.append(torch.stack([torch.logsumexp(row, 0) ** 2 for row in logits]).mean())
        return [o[0] for o in outputs], torch.stack(nll).mean(), sum(balances) / len(balances), sum(zs) / len(zs)


CASES = {
    "as released": {},
    "norm_head off": {"norm_head": False},
    "one dense layer": {"first_k_dense_replace": 1},
    "two dense layers": {"first_k_dense_replace": 2},
    "weights not renormalised": {"norm_topk_prob": False},
    "no shared experts": {"num_shared_experts": 0},
    "one expert per token": {"num_experts_per_tok": 1},
    "head_dim of its own, with biases": {"head_dim": 24, "use_qkv_bias": True, "use_bias": True},
    "multi-head attention": {"num_key_value_heads": 8},
    "linear rope scaling": {"rope_scaling": {"type": "linear", "factor": 4.0}},
}


@pytest.mark.parametrize("implementation", ["eager", "grouped_mm", "batched_mm", "bailing_moe_grouped"])
def test_every_experts_implementation_equals_the_reference(build_model, tmp_path, ids, implementation):
    check_parity(build_model(), tmp_path, [ids[0], ids[1]], experts=implementation)


@pytest.mark.parametrize("case", CASES)
def test_logits_losses_and_gradients_equal_the_reference(build_model, tmp_path, ids, case):
    check_parity(build_model(**CASES[case]), tmp_path, [ids[0], ids[1]])


def test_left_padding_changes_nothing_for_the_real_tokens(build_model, tmp_path, ids):
    check_parity(build_model(), tmp_path, [ids[0], ids[1, :5]])


def check_parity(model, folder: Path, sequences: list[torch.Tensor], experts: str | None = None) -> None:
    model.save_pretrained(folder)
    if experts:
        model.set_experts_implementation(experts)
    width = max(len(s) for s in sequences)
    batch, mask = torch.zeros(len(sequences), width, dtype=torch.long), torch.zeros(len(sequences), width)
    for row, sequence in enumerate(sequences):
        batch[row, width - len(sequence) :] = sequence
        mask[row, width - len(sequence) :] = 1
    labels = batch.masked_fill(mask == 0, -100)
    for row, sequence in enumerate(sequences):
        labels[row, width - len(sequence)] = -100  # nothing real precedes the first token
    attention_mask = None if mask.all() else mask.long()
    model.train()
    output = model(batch, attention_mask=attention_mask, labels=labels, use_cache=False)
    output.loss.backward()

    reference = Reference(folder, model.config)
    logits, ce, balance, z = reference.losses(sequences)
    loss = ce + model.config.router_aux_loss_coef * balance + model.config.router_z_loss_coef * z
    loss.backward()

    for row, expected in enumerate(logits):
        torch.testing.assert_close(output.logits[row, -len(expected) :].double(), expected, atol=1e-5, rtol=0)
    for ours, expected in ((output.loss, loss), (output.ce_loss, ce), (output.aux_loss, balance), (output.z_loss, z)):
        torch.testing.assert_close(ours.double(), expected, atol=1e-5, rtol=1e-6)
    for name, parameter in model.named_parameters():
        expected = gradient_in_runtime_layout(reference, name, model.config.num_experts)
        error = (parameter.grad.double() - expected).norm() / expected.norm().clamp(min=1e-12)
        assert error < 1e-4, f"gradient of {name}: relative error {error:.1e}"


def gradient_in_runtime_layout(reference: Reference, name: str, num_experts: int) -> torch.Tensor:
    def gradient(key: str) -> torch.Tensor:
        weight = reference[key]
        return torch.zeros_like(weight) if weight.grad is None else weight.grad

    if name.endswith("experts.gate_up_proj"):
        prefix = name.removesuffix(".gate_up_proj")
        parts = [[gradient(f"{prefix}.{e}.{p}.weight") for p in ("gate_proj", "up_proj")] for e in range(num_experts)]
        return torch.stack([torch.cat(pair) for pair in parts])
    if name.endswith("experts.down_proj"):
        prefix = name.removesuffix(".down_proj")
        return torch.stack([gradient(f"{prefix}.{e}.down_proj.weight") for e in range(num_experts)])
    return gradient(name)
