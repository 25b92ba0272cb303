"""Section 3.1: NormHead, an output head whose columns have norm 1.

    logits = hidden @ (W / (norm + 1e-7)).T      norm: of every column of W over the vocabulary, (H,), no gradient

Computed as `(hidden / (norm + 1e-7)) @ W.T`, which is the same function: cheaper, and the weight stays what it is. The
released file overwrites the weight instead, in the first evaluation.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

_EPSILON = 1e-7
# Values whose squares are summed at one time on a CPU: they stay in its cache.
_VALUES_PER_PIECE = 2**20
_NUM_SAMPLED_ROWS = 8


class BailingMoeNormHead(nn.Linear):
    """The output head with normalised columns: owns the weight, its norm, and the norm that is kept between calls.

    The norm reads the whole weight, as many bytes as the head's own product. It is kept until the weight changes, and
    taken anew in every training step. What counts as a change: another tensor, a step of its version counter, or other
    values in a sample of its rows, which sees changes through `.data` too.

    With an adapter of PEFT around it, the norm is that of the adapted weight: what merging the adapter would give.
    """

    def __init__(self, hidden_size: int, vocab_size: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__(hidden_size, vocab_size, bias=False, device=device, dtype=dtype)
        self._kept: tuple[Any, torch.Tensor | None, torch.Tensor] | None = None  # key, sampled rows, scale
        self._scale_of_all_rows: torch.Tensor | None = None
        self._adapter: list[nn.Module] = []  # in a list: the adapter is no part of this module, which is part of it
        self.register_forward_pre_hook(_take_scale_of_all_rows)

    @classmethod
    def from_linear(cls, linear: nn.Linear) -> "BailingMoeNormHead":
        """Return a head with the weight of a plain one (resizing the vocabulary makes such)."""
        head = cls(linear.in_features, linear.out_features, device="meta", dtype=linear.weight.dtype)
        head.weight = linear.weight
        return head.train(linear.training)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Map hidden states `(..., H)`, after the decoder's last norm, to logits `(..., V)`."""
        if not self._adapter:
            hidden_states = self.scale_hidden_states(hidden_states)
        return F.linear(hidden_states, self.weight)

    def scale_hidden_states(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return hidden states `(..., H)`, in their dtype, whose product with the bare `weight` gives the logits."""
        is_step = hidden_states.dim() > 1 and hidden_states.shape[-2] == 1
        scale = self.scale(trust_version=is_step and hidden_states.device.type != "cpu")
        return (hidden_states * _beside(scale, hidden_states)).to(hidden_states.dtype)

    def scaled_weight(self) -> torch.Tensor:
        """Return the normalised weight `(V, H)`, a new tensor, through which gradients reach `weight`."""
        return (self.weight * _beside(self.scale(), self.weight)).to(self.weight.dtype)

    def scale(self, trust_version: bool = False) -> torch.Tensor:
        """Return 1 / (norm of every column + 1e-7), `(H,)`, detached, in float32 (float64 for a float64 weight).

        Args:
            trust_version (`bool`): do not look at the values to find out whether the weight changed: on a GPU that
                would make every step of a generation wait for the device.
        """
        if self._scale_of_all_rows is not None:
            return self._scale_of_all_rows
        if torch.compiler.is_compiling():
            # Compiled code cannot ask whether the weight changed: a step takes what the prompt's forward left.
            if self._kept is not None and not torch.is_grad_enabled():
                return self._kept[2]
            return self._compute_scale()
        if self.training and torch.is_grad_enabled():
            self._kept = None
            return self._compute_scale()
        key, rows = self._key(), self._sampled_rows()
        if self._kept is not None and self._kept[0] == key:
            _, kept_rows, scale = self._kept
            is_usable = not (torch.is_grad_enabled() and scale.is_inference())
            if is_usable and (
                trust_version or rows is None or (kept_rows is not None and torch.equal(rows, kept_rows))
            ):
                return scale
        scale = self._compute_scale()
        self._kept = None if key is None else (key, None if rows is None else rows.clone(), scale)
        return scale

    def forget(self) -> None:
        """Take the norm anew in the next call."""
        self._kept = None

    def attach(self, adapter: nn.Module | None) -> None:
        """Scale the input of an adapter that stands around this head, or with None this head's own again.

        Raises:
            NotImplementedError: later, in its forward: an adapter whose update is not a matrix added to the weight.
        """
        self.forget()
        if self._adapter and self._adapter[0] is adapter:
            return
        self._adapter = [] if adapter is None else [adapter]
        if adapter is not None:
            adapter.register_forward_pre_hook(self._scale_input_of_adapter)

    def _scale_input_of_adapter(self, adapter: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self.scale_hidden_states(inputs[0]), *inputs[1:])

    def _compute_scale(self) -> torch.Tensor:
        weight = self.weight.detach()
        with torch.no_grad():
            for delta in self._unmerged_deltas():
                weight = weight + delta.to(weight.dtype)
            return 1.0 / (column_norms(weight) + _EPSILON)

    def _unmerged_deltas(self) -> list[torch.Tensor]:
        adapter: Any = self._adapter[0] if self._adapter else None
        if adapter is None or adapter.disable_adapters:
            return []
        names = [name for name in self._adapter_names(adapter) if name not in adapter.merged_adapters]
        if any(getattr(adapter, "lora_variant", {}).get(name) for name in names):
            raise NotImplementedError("NormHead under a variant of LoRA (DoRA and the like): adapt other modules")
        return [adapter.get_delta_weight(name) for name in names]

    @staticmethod
    def _adapter_names(adapter: Any) -> list[str]:
        if not hasattr(adapter, "get_delta_weight"):
            raise NotImplementedError(f"NormHead under {type(adapter).__name__}: adapt other modules, or use LoRA")
        known = {key for layer in adapter.adapter_layer_names for key in getattr(adapter, layer)}
        return [name for name in adapter.active_adapters if name in known]

    def _key(self) -> tuple[Any, ...] | None:
        """Return what changes with the weight and its adapters; None while the weight is elsewhere (offloaded)."""
        if self.weight.is_meta or not self.weight.numel():
            return None
        tensors: list[torch.Tensor] = [self.weight]
        state: tuple[Any, ...] = ()
        if self._adapter:
            adapter: Any = self._adapter[0]
            tensors += list(adapter.parameters())
            state = (adapter.disable_adapters, tuple(adapter.active_adapters), tuple(adapter.merged_adapters))
        return state, *map(_identity, tensors)

    def _sampled_rows(self) -> torch.Tensor | None:
        """Return some rows to compare; None for a distributed or quantised weight, whose version has to do.

        Devices that judged by their own rows could disagree, and wait for each other for ever.
        """
        if not is_plain(self.weight):
            return None
        stride = max(1, self.weight.shape[0] // _NUM_SAMPLED_ROWS)
        return self.weight.detach()[::stride]


def _take_scale_of_all_rows(head: BailingMoeNormHead, inputs: tuple[Any, ...]) -> None:
    """Take the scale before a forward in which the head may hold its own rows only.

    transformers' tensor parallelism hands linear layers their local rows in inference, and does it inside `forward`.
    """
    head._scale_of_all_rows = None
    if hasattr(head.weight, "device_mesh"):
        head._scale_of_all_rows = head.scale()


def is_plain(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is neither distributed nor quantised, which are classes of their own."""
    return type(tensor) in (torch.Tensor, nn.Parameter)


def _identity(tensor: torch.Tensor) -> tuple[Any, ...]:
    local: Any = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    if not is_plain(local):
        return (id(tensor),)
    return local.data_ptr(), local.dtype, local.device, None if local.is_inference() else local._version


def _beside(scale: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    """Return the scale on the device of a tensor, or whole on every device of the mesh it is distributed over."""
    scale = scale.to(tensor.device)
    if not hasattr(tensor, "device_mesh"):
        return scale
    from torch.distributed.tensor import DTensor, Replicate

    return DTensor.from_local(scale, tensor.device_mesh, [Replicate()] * tensor.device_mesh.ndim)


def column_norms(weight: torch.Tensor) -> torch.Tensor:
    """Return the norm of every column of `(V, H)`, in float32 (float64 for float64).

    Where the rows lie on several devices (FSDP2, tensor parallel), each sums the squares of its own, and one all-reduce
    of H numbers gives the norm of the whole.

    Source: paper 3.1 and the released file; the pieces are ours.
    """
    dtype = torch.float64 if weight.dtype == torch.float64 else torch.float32
    if not is_plain(weight) and not hasattr(weight, "device_mesh"):
        weight = weight.dequantize()
    if weight.device.type != "cpu" or hasattr(weight, "device_mesh") or torch.compiler.is_compiling():
        norms = torch.linalg.vector_norm(weight, dim=0, dtype=dtype)
        return norms.full_tensor() if hasattr(norms, "full_tensor") else norms
    # On a CPU, torch reduces the first dimension of a large matrix many times slower than it reads it.
    squares = torch.zeros(weight.shape[1], dtype=dtype)
    for rows in weight.split(max(1, _VALUES_PER_PIECE // weight.shape[1])):
        squares += rows.to(dtype).square().sum(dim=0)
    return squares.sqrt()


__all__ = ["BailingMoeNormHead", "column_norms", "is_plain"]
