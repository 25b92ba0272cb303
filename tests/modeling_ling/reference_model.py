"""A slow, obvious float64 implementation of the released model, which reads a checkpoint in the released layout.

It works on one unpadded sequence at a time, one token and one expert at a time, and knows nothing of the code under
test but the tensor names. Written from the description of the released model, not from its code.
"""

import math
from pathlib import Path

import torch
from safetensors.torch import load_file


class Reference:
    def __init__(self, tensors: dict[str, torch.Tensor], config) -> None:
        self.config = config
        self.weights = {name: tensor.double().requires_grad_() for name, tensor in tensors.items()}

        if config.tie_word_embeddings:
            self.weights["lm_head.weight"] = self.weights["model.word_embeddings.weight"]

    @classmethod
    def load(cls, folder: Path, config):
        return cls(load_file(folder / "model.safetensors"), config)

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.weights[name]

    def norm(self, x, weight):
        return torch.stack([row / torch.sqrt((row * row).mean() + self.config.rms_norm_eps) for row in x]) * weight

    def frequencies(self, length):
        """Return the angle per position of every pair of channels, and the factor on cosine and sine."""
        size, rope = self.config.head_dim, self.config.rope_parameters
        kind, theta, factor = rope["rope_type"], rope["rope_theta"], rope.get("factor", 1.0)
        if kind == "dynamic":
            longest = self.config.max_position_embeddings
            if length > longest:
                theta = theta * (factor * length / longest - (factor - 1)) ** (size / (size - 2))
            factor = 1.0
        plain = [theta ** (-2 * i / size) for i in range(size // 2)]
        if kind != "yarn":
            return [frequency / factor for frequency in plain], 1.0

        def channel(rotations):  # the pair of channels that turns so often over the original context
            return size * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(theta))

        def magnitude(weight):
            return 0.1 * weight * math.log(factor) + 1.0

        original = rope.get("original_max_position_embeddings", 4096)
        low = max(math.floor(channel(rope.get("beta_fast", 32))), 0)
        high = min(math.ceil(channel(rope.get("beta_slow", 1))), size - 1)
        out = []
        for i, frequency in enumerate(plain):
            slow = min(max((i - low) / max(high - low, 0.001), 0.0), 1.0)
            out.append(frequency / factor * slow + frequency * (1 - slow))
        return out, magnitude(rope.get("mscale", 1.0)) / magnitude(rope.get("mscale_all_dim", 0.0))

    def rotate(self, vector, position, length):
        half = self.config.head_dim // 2
        frequencies, factor = self.frequencies(length)
        out = [None] * (2 * half)
        for i in range(half):
            a, b, angle = vector[i], vector[i + half], position * frequencies[i]
            out[i] = (a * math.cos(angle) - b * math.sin(angle)) * factor
            out[i + half] = (b * math.cos(angle) + a * math.sin(angle)) * factor
        return torch.stack(out)

    def attention(self, x, prefix):
        c, size = self.config, self.config.head_dim
        queries, keys = c.num_attention_heads, c.num_key_value_heads
        fused = x @ self[f"{prefix}.query_key_value.weight"].T
        if c.use_qkv_bias:
            fused = fused + self[f"{prefix}.query_key_value.bias"]
        q, k, v = fused.split([queries * size, keys * size, keys * size], dim=-1)
        blocks = [slice(head * size, (head + 1) * size) for head in range(queries)]
        rotated = [[self.rotate(k[s, blocks[group]], s, len(x)) for s in range(len(x))] for group in range(keys)]
        rows = []
        for t in range(len(x)):
            heads = []
            for head in range(queries):
                group = head // (queries // keys)
                query = self.rotate(q[t, blocks[head]], t, len(x))
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
        """Return logits per sequence, then cross-entropy, balance and z over all sequences.

        `closest_call` is left on the reference: the least distance, over tokens and layers, between the scores of the
        last expert chosen and the first one not. Where it is tiny, float32 may choose another one, rightly.
        """
        c = self.config
        outputs = [self.sequence(ids) for ids in sequences]
        nll = [
            -torch.log_softmax(logits[t], dim=-1)[ids[t + 1]]
            for ids, (logits, _) in zip(sequences, outputs, strict=True)
            for t in range(len(ids) - 1)
        ]
        balances, zs, self.closest_call = [], [], 1.0
        for layer in range(c.num_hidden_layers - c.first_k_dense_replace):
            logits = torch.cat([router[layer] for _, router in outputs])
            probabilities = torch.softmax(logits, dim=-1)
            balance = 0.0
            ranked = probabilities.detach().sort(descending=True).values
            if c.num_experts_per_tok < c.num_experts:
                gaps = ranked[:, c.num_experts_per_tok - 1] - ranked[:, c.num_experts_per_tok]
                self.closest_call = min(self.closest_call, gaps.min().item())
            top = [set(row.topk(c.num_experts_per_tok).indices.tolist()) for row in probabilities]
            for expert in range(c.num_experts):
                fraction = sum(expert in chosen for chosen in top) / len(top)
                balance = balance + fraction * probabilities[:, expert].mean()
            balances.append(c.num_experts / c.num_experts_per_tok * balance)
            zs.append(torch.stack([torch.logsumexp(row, 0) ** 2 for row in logits]).mean())
        return [o[0] for o in outputs], torch.stack(nll).mean(), sum(balances) / len(balances), sum(zs) / len(zs)


def gradient_in_runtime_layout(reference: Reference, name: str) -> torch.Tensor:
    """Return the reference's gradient of one parameter of the model, whose experts are stacked."""
    num_experts = reference.config.num_experts

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
