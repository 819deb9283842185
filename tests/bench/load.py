"""Our API and comfy-api-proxy under load: the same requests from the same clients, in turn."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import settings
from tasks import embedded
from tasks.framework import configure
from tests.bench import comfy_api_proxy, reading
from tests.bench.comfy_api_proxy import NotInstalled, proxying
from tests.bench.load_clients import Load, Request, Target
from tests.bench.runner import comfyui_in
from tests.integration.service import KEY, colour, steps
from tests.integration.stack import Stack

GET, POST, LIST = "GET a job", "POST a job", "list 50 jobs"
STREAMS, GET_BESIDE = "open an event stream", "GET a job beside the open streams"

BLOCKED_SECONDS = 3600
"""How long the job lasts that keeps ComfyUI busy, so that those posted only wait."""


@dataclass(frozen=True)
class Amounts:
    """How many requests of each kind, finished jobs in the records, and streams."""

    requests: int = 2_000
    posts: int = 500
    lists: int = 500
    jobs: int = 100_000
    streams: int = 200


@dataclass(frozen=True)
class Paths:
    """Where an API has its jobs, and with what it accepts one."""

    jobs: str
    accepted: int


def measure(amounts: Amounts) -> Iterator[tuple[str, Mapping[str, Load]]]:
    """Yield the name of each contender with its loads by what was asked.

    Each has a ComfyUI of its own, which a long job keeps busy.
    """
    with tempfile.TemporaryDirectory() as place:
        yield "ours", _ours(Path(place), amounts)
        try:
            yield comfy_api_proxy.NAME, _theirs(Path(place), amounts)
        except NotInstalled as error:
            print(f"comfy-api-proxy is left out: {error}", file=sys.stderr)


def _ours(place: Path, amounts: Amounts) -> Mapping[str, Load]:
    data = place / "ours"
    embedded.configure(settings.Settings(data_dir=data))
    try:
        reading.fill(0, amounts.jobs)
    finally:
        configure(None)
    most = amounts.streams + 20
    limits = {
        "MAX_ACTIVE_JOBS_PER_USER": 10_000,
        "MAX_QUEUED_JOBS": 100_000,
        "MAX_STREAMS": most,
        "MAX_STREAMS_PER_KEY": most,
    }
    with Stack(data, **limits) as stack:
        stack.at_step(stack.submit(steps(BLOCKED_SECONDS, 1.0)))
        return _loads(Target(stack.url, KEY), Paths("/v1/jobs", 202), amounts)


def _theirs(place: Path, amounts: Amounts) -> Mapping[str, Load]:
    with comfyui_in(place) as server, proxying(server.url, place) as target:
        target.send(_post(Paths("/api/v2/jobs", 201), steps(BLOCKED_SECONDS, 1.0)))
        return _loads(target, Paths("/api/v2/jobs", 201), amounts)


def _post(paths: Paths, graph: Mapping[str, object]) -> Request:
    return Request("POST", paths.jobs, {"workflow": graph}, paths.accepted)


def _loads(target: Target, paths: Paths, amounts: Amounts) -> Mapping[str, Load]:
    """Measure everything that both have; lists come last, when jobs have been posted."""
    made = target.send(_post(paths, colour(1)))
    one = f"{paths.jobs}/{made.get('job_id') or made['id']}"
    found = {
        GET: target.put_under(Request("GET", one), amounts.requests),
        POST: target.put_under(_post(paths, colour(2)), amounts.posts),
        LIST: target.put_under(Request("GET", f"{paths.jobs}?limit=50"), amounts.lists),
    }
    with target.streams(f"{one}/events", amounts.streams) as opened:
        found[STREAMS] = opened
        found[GET_BESIDE] = target.put_under(Request("GET", one), amounts.requests)
    return found


def main(arguments: list[str]) -> None:
    """Print the table; options make the amounts smaller, to see that all works."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench load")
    for name, usual in vars(Amounts()).items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    amounts = Amounts(**vars(parser.parse_args(arguments)))
    print(f"{amounts}\n")
    print("| what | who | p50, ms | p99, ms | a second | errors |")
    print("|---|---|---:|---:|---:|---:|")
    for who, found in measure(amounts):
        for what, load in found.items():
            numbers = f"{load.p50:,.1f} | {load.p99:,.1f} | {load.per_second:,.0f} | {load.errors}"
            print(f"| {what} | {who} | {numbers} |", flush=True)
