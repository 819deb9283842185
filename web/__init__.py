"""HTTP in and out, nothing else: the job API as a Flask application."""

from __future__ import annotations

from flask import Flask, Response
from flask.json.provider import DefaultJSONProvider

import tasks.jobs
from comfy_runner.bucket import Bucket, LocalBucket, open_bucket
from settings import Settings
from web import auth, errors, files, health
from web.v1.events import EventRoutes
from web.v1.jobs import JobRoutes
from web.v1.ports import Jobs
from web.v1.reading import ReadingRoutes
from web.v1.telling import Telling
from web.v1.validation import ValidationRoutes
from web.v1.webhooks import WebhookRoutes
from web.waiting import Waiting

__all__ = ["create_app"]


def create_app(
    settings: Settings, *, jobs: Jobs = tasks.jobs, bucket: Bucket | None = None
) -> Flask:
    """Return the application; the caller has configured `tasks` unless it passes its own `jobs`.

    Raises:
        SettingsError: API_KEY is not set, and no key can be kept in the data directory.
    """
    bucket = bucket or open_bucket(settings)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_megabytes * 2**20
    app.url_map.merge_slashes = False
    app.json = _InOrder(app)
    errors.register(app)
    auth.require_key(app, auth.api_key(settings), public=("health.health", "files.download"))
    app.after_request(_guard)
    app.register_blueprint(health.blueprint)
    if isinstance(bucket, LocalBucket):
        app.register_blueprint(files.blueprint(bucket))
    telling = Telling(settings, bucket)
    waiting = Waiting(settings.max_streams, settings.max_streams_per_key)
    app.register_blueprint(JobRoutes(settings, jobs, telling).blueprint())
    app.register_blueprint(ReadingRoutes(jobs, telling, waiting).blueprint())
    app.register_blueprint(EventRoutes(jobs, telling, waiting).blueprint())
    app.register_blueprint(ValidationRoutes(settings, jobs).blueprint())
    app.register_blueprint(WebhookRoutes(jobs.get).blueprint())
    return app


class _InOrder(DefaultJSONProvider):
    """Keeps the order that the documentation shows."""

    sort_keys = False


def _guard(response: Response) -> Response:
    """Let nobody keep or reinterpret an answer unless its route says so."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response
