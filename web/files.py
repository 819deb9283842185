"""Files of the local bucket, for whoever holds a link that is signed and has not expired."""

from __future__ import annotations

import time

from flask import Blueprint, Response, abort, request, send_file
from werkzeug.wsgi import wrap_file

from comfy_runner.bucket import BadSignature, Expired, LocalBucket, NoSuchFile, StoredFile
from web.errors import ProblemError

_HEADERS = {
    # A file may be anything a node wrote, HTML too: no browser may run it in our name.
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
    ),
    "Cross-Origin-Resource-Policy": "cross-origin",
}


def blueprint(bucket: LocalBucket) -> Blueprint:
    """Return the routes that serve `bucket`."""
    routes = Blueprint("files", __name__)

    @routes.get("/files/<path:key>")
    def download(key: str) -> Response:
        """Send the file with ETag and ranges; the link's own lifetime bounds every cache."""
        expires = request.args.get("expires", "")
        try:
            stored = bucket.verify(key, expires, request.args.get("signature", ""))
            response = send_file(
                stored.path,
                mimetype=stored.content_type,
                download_name=stored.filename,
                etag=stored.etag,
                conditional=True,
            )
            _leave_the_rest_to_the_server(response, stored)
        except (NoSuchFile, FileNotFoundError) as error:
            raise _gone() from error
        except Expired as error:
            raise _forbidden("link_expired", "The link has expired") from error
        except BadSignature as error:
            raise _forbidden("bad_signature", "The link is not one that we signed") from error
        if response.status_code == 412:
            response.close()
            abort(412)
        seconds = max(0, int(expires) - int(time.time()))
        response.headers["Cache-Control"] = f"private, max-age={seconds}"
        response.headers.update(_HEADERS)
        return response

    return routes


def _leave_the_rest_to_the_server(response: Response, stored: StoredFile) -> None:
    """Give the server a part of a file as it gets a whole one: as a file (PEP 3333).

    Otherwise a thread would write the part, and wait for as long as its reader does: a browser
    that has buffered enough of a video stops reading.
    """
    part = response.content_range
    if response.status_code != 206 or "wsgi.file_wrapper" not in request.environ:
        return
    response.response.close()  # type: ignore[union-attr]  # it is what send_file opened
    file = stored.path.open("rb")
    file.seek(part.start or 0)
    response.response = wrap_file(request.environ, file)


def _gone() -> ProblemError:
    return ProblemError(404, "file_not_found", "The link is right, but its file is gone.")


def _forbidden(code: str, reason: str) -> ProblemError:
    detail = f"{reason}; GET /v1/jobs/<job_id> gives a new one."
    return ProblemError(403, code, detail)
