"""Section 3.2: hours and money of a training, from FLOPs and what is assumed of the devices."""

from __future__ import annotations

from dataclasses import dataclass

from recipes.reporting.devices import PEAK_FLOPS_PER_SECOND, peak_flops_per_second

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Assumptions:
    """What a plan assumes of the devices; printed beside every figure that rests on it.

    Args:
        device: part of a device's name, of `PEAK_FLOPS_PER_SECOND`.
        utilization: share of the device's peak that the model's arithmetic uses, 0..1. What training of such models
            over the libraries' own FSDP2 has been reported to reach, by default.
        price_per_hour: of one device, in dollars.

    Raises:
        ValueError: a device whose peak is not known, or a figure out of its limits.
    """

    device: str = "H100"
    utilization: float = 0.08
    price_per_hour: float = 2.5

    def __post_init__(self) -> None:
        if peak_flops_per_second(self.device) is None:
            known = ", ".join(name for name, _ in PEAK_FLOPS_PER_SECOND)
            raise ValueError(f"The peak of a {self.device!r} is not known. These are: {known}.")
        if not 0 < self.utilization <= 1:
            raise ValueError(f"--mfu is {self.utilization}: it is a share of the peak, above 0 and at most 1.")
        if self.price_per_hour < 0:
            raise ValueError(f"--price is {self.price_per_hour}: it must not be negative.")

    def device_hours(self, flops: float) -> float:
        """Return the hours that one device would take."""
        return flops / ((peak_flops_per_second(self.device) or 1.0) * self.utilization) / SECONDS_PER_HOUR

    def describe(self, flops: float, num_devices: int) -> str:
        """Return hours, duration and cost in words."""
        hours = self.device_hours(flops)
        return (
            f"{_figure(hours)} {self.device} hours, {duration(hours / num_devices)} on {num_devices:,}, "
            f"${_figure(hours * self.price_per_hour)} at ${self.price_per_hour:g} an hour, "
            f"if {self.utilization:.0%} of the peak is used"
        )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def duration(hours: float) -> str:
    """Return a length of time in the unit that suits it."""
    if hours >= 48:
        return f"{hours / 24:,.1f} days"
    if hours >= 1:
        return f"{hours:.1f} hours"
    return f"{hours * 60:.1f} minutes" if hours >= 1 / 60 else f"{hours * SECONDS_PER_HOUR:.2g} seconds"
