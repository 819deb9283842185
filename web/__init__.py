"""HTTP in and out, nothing else: the job API as a Flask application."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flask import Flask, Response
from flask.json.provider import DefaultJSONProvider

import tasks.jobs
import tasks.operations
from comfy_runner.bucket import Bucket, LocalBucket, open_bucket
from comfy_runner.catalog import Catalog
from settings import Settings
from tasks.catalogue import current
from web import auth, cors, errors, files, health, rate, tracing
from web.description import pages
from web.keyring import Keyring
from web.metrics import Metrics
from web.readiness import Operations, Readiness, checks
from web.scopes import SCOPES
from web.v1 import named
from web.v1.events import EventRoutes
from web.v1.jobs import JobRoutes
from web.v1.own_jobs import OwnJobs
from web.v1.ports import Jobs
from web.v1.reading import ReadingRoutes
from web.v1.telling import Telling
from web.v1.usage import UsageRoutes
from web.v1.validation import ValidationRoutes
from web.v1.webhooks import WebhookRoutes
from web.waiting import Waiting

__all__ = ["create_app"]

PUBLIC = ("health.health", "readiness.ready", "files.download", *pages.PUBLIC)
"""The endpoints that want no key."""


def create_app(
    settings: Settings,
    *,
    jobs: Jobs = tasks.jobs,
    bucket: Bucket | None = None,
    catalog: Callable[[], Catalog | None] | None = None,
    operations: Operations = tasks.operations,
) -> Flask:
    """Return the application; the caller has configured `tasks` unless it passes its own `jobs`.

    `catalog` returns what workflows are judged by; if unset, it is what the workers published.

    Raises:
        SettingsError: API_KEY is not set, and no key can be kept in the data directory.
    """
    bucket = bucket or open_bucket(settings, hurried=True)
    if catalog is None:
        catalog = partial(current, bucket) if jobs is tasks.jobs else _none
    jobs = OwnJobs(jobs, lambda: auth.rights().user_id)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_megabytes * 2**20
    app.url_map.merge_slashes = False
    app.json = _InOrder(app)
    errors.register(app)
    _watch_over(app, settings, bucket, operations)
    if isinstance(bucket, LocalBucket):
        app.register_blueprint(files.blueprint(bucket))
    telling = Telling(settings, bucket)
    waiting = Waiting(settings.max_streams, settings.max_streams_per_key)
    app.register_blueprint(JobRoutes(settings, jobs, telling, catalog).blueprint())
    app.register_blueprint(ReadingRoutes(jobs, telling, waiting).blueprint())
    app.register_blueprint(EventRoutes(jobs, telling, waiting).blueprint())
    app.register_blueprint(ValidationRoutes(settings, jobs, catalog).blueprint())
    app.register_blueprint(WebhookRoutes(jobs.get).blueprint())
    app.register_blueprint(UsageRoutes(jobs).blueprint())
    app.register_blueprint(named.blueprint())
    pages.register(app, settings)
    return app


def _watch_over(app: Flask, settings: Settings, bucket: Bucket, operations: Operations) -> None:
    """Add what every request goes through, in this order, and the routes for operators."""
    tracing.register(app)
    cors.allow(app, settings.cors_origins)
    public = ("metrics.metrics", *PUBLIC) if settings.metrics_public else PUBLIC
    scopes = {**SCOPES, **dict.fromkeys(public, auth.PUBLIC)}
    counted = rate.limiter(app, settings.rate_limit_per_minute)
    auth.require_key(app, Keyring(auth.api_key(settings)), scopes, counted)
    app.after_request(_guard)
    app.register_blueprint(health.blueprint)
    ready = Readiness(checks(operations, bucket, settings.ready_max_queued))
    app.register_blueprint(ready.blueprint())
    Metrics(operations.figures).register(app)


def _none() -> None:
    """Return no catalogue: jobs that are not ours have no workers of ours."""


class _InOrder(DefaultJSONProvider):
    """Keeps the order that the documentation shows."""

    sort_keys = False


def _guard(response: Response) -> Response:
    """Let nobody keep or reinterpret an answer unless its route says so."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response
