"""What an ended job took, in one line."""

from __future__ import annotations

from web.answers import Cost, Job

ORDER = ("waiting", "restore", "wake", "warm_up", "inputs", "model_load", "run", "upload")
"""The parts as they follow each other, more or less."""

LEAST_SECONDS = 0.05
"""Parts that are shorter are not worth a word."""


def took(job: Job) -> str:
    """Return where the job's time went and what it cost; blank if nothing of that is known."""
    parts = {name: value for name in ORDER if (value := job.timings.get(name)) is not None}
    if not parts:
        return ""
    told = [
        f"{name.replace('_', ' ')} {seconds:.1f}"
        for name, seconds in parts.items()
        if seconds >= LEAST_SECONDS
    ]
    sentence = f"Took {sum(parts.values()):.1f} s" + (f": {', '.join(told)}" if told else "")
    return sentence + (_priced(job.cost) if job.cost else "") + "."


def _priced(cost: Cost) -> str:
    used = f"{cost.gpu_seconds:.1f} s of {cost.gpu}"
    return f"; {used}" + (f", about {cost.usd:.4f} USD" if cost.usd is not None else "")
