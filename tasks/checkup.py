"""Whether a deployed app has all that it needs: looked at from inside one of its containers."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from apps import App
from comfy_runner.bucket import Bucket
from settings import Settings
from tasks.framework import runtime


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, and what to do if it is not well."""

    name: str
    well: bool
    detail: str

    def __str__(self) -> str:
        return f"{'ok ' if self.well else 'NO '} {self.name}: {self.detail}"


def checks(app: App, chosen: Settings, bucket: Bucket, models: Path) -> Iterator[Check]:
    """Look at one thing after another; one that is not well does not keep the rest from it."""
    yield _check("secret " + app.secrets.api, lambda: _key(chosen))
    yield _check("records", _records)
    yield _check("bucket", lambda: _bucket(bucket))
    yield _check("models", lambda: _models(app, models))


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, well=True, detail=look())
    except Exception as error:  # noqa: BLE001 - whatever it is, whoever asked wants to read it
        return Check(name, well=False, detail=f"{error or type(error).__name__}")


class Missing(Exception):
    """Something is not there; the message says how to have it."""


def _key(chosen: Settings) -> str:
    if not chosen.api_key:
        raise Missing("API_KEY is not in it; `python manage.py secrets` puts it there")
    return "has API_KEY"


def _records() -> str:
    """Write, read and remove a record; a second writer must lose."""
    store = runtime().protocol.store
    key = f"checkup:{uuid.uuid4()}"
    first, second = store.add(key, {"by": "first"}), store.add(key, {"by": "second"})
    read = store.get(key)
    store.delete(key)
    if not first or second or read != {"by": "first"} or store.get(key) is not None:
        raise Missing(f"a record was not kept as written: {first=} {second=} {read=}")
    return "written once, read and removed"


def _bucket(bucket: Bucket) -> str:
    """Put, fetch and delete a file, and sign its address."""
    key = f"checkup/{uuid.uuid4()}.txt"
    with tempfile.TemporaryDirectory() as place:
        sent, came = Path(place) / "sent", Path(place) / "came"
        sent.write_text("checkup", encoding="ascii")
        bucket.put(key, sent, content_type="text/plain", filename="checkup.txt")
        try:
            bucket.fetch(key, came)
            bucket.url(key, ttl_seconds=60)
        finally:
            bucket.delete(key)
        if came.read_bytes() != sent.read_bytes():
            raise Missing("a file came back other than it was put")
    return "a file was put, fetched and deleted"


def _models(app: App, models: Path) -> str:
    missing = [model.path for model in app.models if not (models / model.path).is_file()]
    if missing:
        raise Missing(
            f"{len(missing)} of {len(app.models)} are not on the volume {app.volume}: "
            f"{', '.join(missing)}; `python manage.py models pull` downloads them"
        )
    return f"all {len(app.models)} are on the volume {app.volume}"
