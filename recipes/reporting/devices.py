"""Peak compute of accelerators and peak memory of this process: the denominators of efficiency figures."""

from __future__ import annotations

import resource
import sys

# Dense bf16 peaks in FLOP/s. NVIDIA prints twice as much for 2:4 sparsity, which training does not use.
# | device name contains | FLOP/s  |
# |----------------------|---------|
# | H200, H100 (SXM)     | 989e12  |
# | H100 PCIe            | 756e12  |
# | A100, A800           | 312e12  |
PEAK_FLOPS_PER_SECOND = (
    ("H100 PCIe", 756e12),
    ("H200", 989e12),
    ("H100", 989e12),
    ("A100", 312e12),
    ("A800", 312e12),
)


def peak_flops_per_second(device_name: str) -> float | None:
    """Return the dense bf16 peak of a device, None where it is not known: a guess would make the MFU a lie.

    Args:
        device_name: as torch.cuda.get_device_name gives it, or "cpu".

    Returns:
        FLOP/s, or None.

    Source: the vendor's data sheets; the table is ours.
    """
    return next((peak for name, peak in PEAK_FLOPS_PER_SECOND if name in device_name), None)


def current_device_name() -> str:
    """Return the name of the device that trains: the GPU's marketing name, or "cpu"."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def model_flops_utilization(tokens_per_second: float, flops_per_token: float, device_name: str) -> float | str:
    """Share of the device's peak that the model's own arithmetic used.

    Args:
        tokens_per_second: per device.
        flops_per_token: forward and backward.
        device_name: see `peak_flops_per_second`.

    Returns:
        A fraction, or "n/a" on a device whose peak is not known.
    """
    peak = peak_flops_per_second(device_name)
    return "n/a" if peak is None else round(tokens_per_second * flops_per_token / peak, 4)


def peak_memory_bytes() -> dict[str, int]:
    """Return the highest memory use so far: resident memory of this process, and of the GPU where there is one."""
    import torch

    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peaks = {"peak_resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}
    if torch.cuda.is_available():
        peaks["peak_gpu_bytes"] = int(torch.cuda.max_memory_allocated())
    return peaks
