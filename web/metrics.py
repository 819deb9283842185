"""What this deployment does, in the text format that Prometheus reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate

from flask import Blueprint, Flask, Response, g
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from tasks.framework import State
from tasks.framework.totals import BOUNDS, Times, Totals
from tasks.operations import Figures
from web.tracing import method, route, trace

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""The classes of how long requests take."""

REFUSALS = frozenset({400, 413, 415, 422})
"""The statuses that say that something is wrong with what was sent."""

STATES = {
    "completed": (State.SUCCEEDED,),
    "failed": (State.FAILED, State.EXPIRED),
    "cancelled": (State.REVOKED,),
}
"""How jobs end, in the words of the API."""

OUTCOMES = {"delivered": State.SUCCEEDED, "failed": State.FAILED}


class Metrics:
    """Counts the requests to one application, and asks for the figures of all jobs when read.

    Requests are counted by each process for itself; figures of jobs are the deployment's own.
    Labels have few values: routes, never paths, and no ids.
    """

    def __init__(self, figures: Callable[[], Figures]) -> None:
        # when a series began is of no use, and as long again; the library has no type for this
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._registry.register(_Jobs(figures))
        ProcessCollector(registry=self._registry)
        self._requests = Histogram(
            "comfyui_http_request_seconds",
            "Time until an answer begins, by route and status, in this process.",
            ["method", "route", "status"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._refusals = Counter(
            "comfyui_refusals",
            "Requests refused for what was sent, by the code of the problem, in this process.",
            ["code"],
            registry=self._registry,
        )

    def register(self, app: Flask) -> None:
        """Count every request to `app`, and serve the route."""
        app.after_request(self._observe)
        blueprint = Blueprint("metrics", __name__)
        blueprint.get("/metrics")(self.metrics)
        app.register_blueprint(blueprint)

    def metrics(self) -> Response:
        """Tell everything at once."""
        return Response(generate_latest(self._registry), content_type=CONTENT_TYPE_LATEST)

    def _observe(self, response: Response) -> Response:
        found = trace()
        if found is not None:
            labels = (method(), route(), str(response.status_code))
            self._requests.labels(*labels).observe(found.seconds)
        code = g.get("problem_code")
        if code is not None and response.status_code in REFUSALS:
            self._refusals.labels(code).inc()
        return response


class _Jobs(Collector):
    """The figures of all jobs, read anew each time."""

    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._figures = figures

    def describe(self) -> list[Metric]:
        """Say nothing, so that no store is asked before somebody wants to know."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Ask once, and tell all of it."""
        found = self._figures()
        jobs = GaugeMetricFamily(
            "comfyui_jobs", "Jobs that wait for a worker or are being run.", labels=["status"]
        )
        jobs.add_metric(["queued"], found.queued)
        jobs.add_metric(["running"], found.running)
        yield jobs
        told = "Worker processes that take jobs or are busy with one."
        yield GaugeMetricFamily("comfyui_workers", told, value=found.workers)  # or none at all
        yield from _of_ended(found.totals)
        yield _of_deliveries(found.deliveries)


def _of_ended(totals: Totals) -> Iterator[Metric]:
    waits = HistogramMetricFamily(
        "comfyui_job_wait_seconds",
        "Time in the queue of jobs that have ended, by how they ended.",
        labels=["status"],
    )
    runs = HistogramMetricFamily(
        "comfyui_job_run_seconds",
        "Time from start to end of jobs that have ended, by how they ended.",
        labels=["status"],
    )
    seconds = CounterMetricFamily(
        "comfyui_worker_seconds",
        "Time that workers, and so their GPUs, have spent on jobs that have ended.",
        labels=["status"],
    )
    for status, states in STATES.items():
        waited, ran = _sum(totals.waits, states), _sum(totals.runs, states)
        _add(waits, [status], waited)
        _add(runs, [status], ran)
        seconds.add_metric([status], ran.seconds)
    yield from (waits, runs, seconds, _of_parts(totals))


def _of_parts(totals: Totals) -> Metric:
    parts = HistogramMetricFamily(
        "comfyui_job_part_seconds",
        "Time that jobs spent on parts of their waiting and their run, as in their timings.",
        labels=["part"],
    )
    for name, times in sorted(totals.parts.items()):
        _add(parts, [name], _sum(times, tuple(times)))
    return parts


def _of_deliveries(totals: Totals) -> Metric:
    told = "Webhook deliveries that are over, with all their attempts."
    family = CounterMetricFamily("comfyui_webhook_deliveries", told, labels=["outcome"])
    for outcome, state in OUTCOMES.items():
        family.add_metric([outcome], sum(totals.runs.get(state, Times()).counts))
    return family


def _sum(times: Mapping[State, Times], states: tuple[State, ...]) -> Times:
    chosen = [times.get(state, Times()) for state in states]
    counts = tuple(map(sum, zip(*(each.counts for each in chosen), strict=True)))
    return Times(counts, math.fsum(each.seconds for each in chosen))


def _add(family: HistogramMetricFamily, labels: list[str], times: Times) -> None:
    bounds = map(floatToGoString, BOUNDS)
    buckets = list(zip(bounds, accumulate(times.counts), strict=True))
    family.add_metric(labels, buckets, sum_value=times.seconds)
