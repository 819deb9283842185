"""What the time of a worker costs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Billing:
    """What a worker computes on, such as ``L40S``, and its price if there is one."""

    gpu: str
    usd_per_second: float | None = None
