"""The routes that describe the API: the document, a page to read and try it on, every code."""

from __future__ import annotations

import html
from importlib import resources
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, jsonify

from settings import Settings
from web.description.codes import CODES, title
from web.description.document import document, page

PUBLIC = ("description.openapi", "description.docs", "description.file", "description.problem")
"""The endpoints that want no key."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Nothing from elsewhere, and neither script nor style in a page: Swagger UI styles its elements
through the DOM, which no policy forbids."""

FILES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
"""What the package of Swagger UI is asked for."""

START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
  docExpansion: "list",
});
"""

_DOCS = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ComfyUI jobs: the API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="docs">This page needs JavaScript; the same is in
<a href="/openapi.json">/openapi.json</a>.</div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

_PROBLEM = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body>
<h1>{title}</h1>
<p><code>{code}</code>, {where}</p>
<p>{meaning}</p>
<p><a href="/docs">The API</a></p>
</body>
</html>
"""


def register(app: Flask, settings: Settings) -> None:
    """Add the routes; the document is of what `app` serves by then, so this comes last."""
    routes = Blueprint("description", __name__)
    routes.get("/openapi.json")(openapi)
    routes.get("/docs")(docs)
    routes.get("/docs/<name>")(file)
    routes.get("/problems/<name>")(problem)
    app.register_blueprint(routes)
    made = document(app, longest_run_seconds=settings.job_timeout_seconds)
    app.extensions["description"] = made


def openapi() -> Response:
    """Tell what this API can do, as OpenAPI 3.1."""
    made: dict[str, Any] = current_app.extensions["description"]
    return jsonify(made)


def docs() -> Response:
    """Show the documentation, with requests to try."""
    return _page(_DOCS)


def file(name: str) -> Response:
    """Send a file of the documentation's page."""
    if name == "start.js":
        return _cached(Response(START, content_type="text/javascript; charset=utf-8"))
    if name not in FILES:
        abort(404)
    data = (resources.files("flask_swagger_ui") / "dist" / name).read_bytes()
    return _cached(Response(data, mimetype=FILES[name]))


def problem(name: str) -> Response:
    """Show what a code means; the `type` of a problem is the address of this page."""
    code = name.replace("-", "_")
    known = CODES.get(code)
    if known is None or page(code) != name:
        abort(404)
    where = f"status {known.status}" if known.status else "in the error of a job"
    told = {"title": title(code), "code": code, "where": where, "meaning": known.meaning}
    return _page(_PROBLEM.format(**{key: html.escape(text) for key, text in told.items()}))


def _page(text: str) -> Response:
    response = Response(text, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _cached(response: Response) -> Response:
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
