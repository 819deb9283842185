"""Which of Modal's GPU types a device is, by the name that its driver gives it."""

from __future__ import annotations

import re
from collections.abc import Iterable

_KINDS = {
    "T4": r"\bT4\b",
    "L4": r"\bL4\b",
    "L40S": r"\bL40S\b",
    "A10": r"\bA10G?\b",
    "A100-40GB": r"\bA100\b.*\b40GB",
    "A100-80GB": r"\bA100\b.*\b80GB",
    "RTX-PRO-6000": r"\bRTX PRO 6000\b",
    "H100": r"\bH100\b",
    "H200": r"\bH200\b",
    "B200": r"\bB200\b",
}
"""As NVIDIA's drivers name them: "Tesla T4", "NVIDIA A100-SXM4-80GB", "NVIDIA H100 80GB HBM3"."""


def gpu_of(device: str, ordered: Iterable[str]) -> str | None:
    """Return what of the `ordered` types a device is, with its count; None if it is none known.

    A container may get another type than was ordered: Modal gives an H200 for an H100, at the
    price of an H100 (https://modal.com/docs/guide/gpu), so the order decides where it can.
    """
    kinds = [kind for kind, pattern in _KINDS.items() if re.search(pattern, device)]
    if not kinds:
        return None
    wanted = list(ordered)
    for each in wanted:
        if any(_same(each, kind) for kind in kinds):
            return each
    given_for = [each for each in wanted if _kind(each) == "H100"] if "H200" in kinds else []
    return (given_for or kinds)[0]


def _kind(ordered: str) -> str:
    return ordered.partition(":")[0].rstrip("!+")


def _same(ordered: str, kind: str) -> bool:
    """Whether an order is of that kind; a plain A100 is one of either size."""
    return _kind(ordered) in {kind, kind.partition("-")[0]}
