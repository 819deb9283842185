"""Records in Modal's Dicts, one Dict per first part of the key."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import modal
import tenacity
from grpclib.exceptions import StreamTerminatedError
from modal import exception

from tasks.framework.errors import RecordsUnavailable
from tasks.framework.stores import Json

log = logging.getLogger(__name__)

T = TypeVar("T")

PART = re.compile(r"[a-z0-9_]{1,30}")
"""What the first part of a key may look like: it ends the name of a Dict."""

TRANSIENT = (
    exception.ServiceError,
    exception.InternalError,
    exception.ResourceExhaustedError,
    exception.ConnectionError,
    exception.TimeoutError,
    exception.NotFoundError,
    OSError,
    StreamTerminatedError,
)
"""What may be over in a moment: the network, Modal's own trouble, too many calls at once, and a
Dict that somebody has deleted, which is then made anew."""

ATTEMPTS = 4
SECONDS = 10.0
"""How often and how long a call is made again: less than what makes a heartbeat stale.

Modal's client itself makes each call up to four times within a second.
"""


class ModalDictStore:
    """A store for the containers of one Modal app, and for whoever has its token.

    A Dict knows put-if-absent and no other condition. Hence ``delete(if_value=...)`` takes the
    value out and puts back what was another one: meanwhile somebody else may add the key, and
    what was taken out is dropped. A limit can be exceeded by one for each such event, until that
    run ends; nothing else of the protocol asks for more than put-if-absent.

    Modal drops an entry that nobody reads or writes for seven days
    (https://modal.com/docs/guide/dicts), and whether a scan counts as reading is not documented:
    what is to last longer has to be read by itself.

    Every method raises RecordsUnavailable once a transient error has stayed for `SECONDS`, and
    what else Modal raises as it is.
    """

    def __init__(self, app: str, *, client: modal.Client | None = None) -> None:
        """Keep the records of `app`; ``client`` is made from the environment if there is none."""
        self._app, self._client = app, client
        self._dicts: dict[str, modal.Dict] = {}

    def add(self, key: str, value: Json) -> bool:
        """Store only if absent, also when an answer is lost and the call is made again.

        Whoever repeats a call cannot tell its own entry from somebody else's by "it is there
        already": each adder therefore signs what it stores.
        """
        nonce = uuid.uuid4().hex
        text = _dump(value, nonce)
        if self._on(key, lambda each: each.put(key, text, skip_if_exists=True)):
            return True
        held = self._read(key)
        return held is not None and json.loads(held).get("nonce") == nonce

    def put(self, key: str, value: Json) -> None:
        """Store, replacing what was there."""
        text = _dump(value)
        self._on(key, lambda each: each.put(key, text))

    def get(self, key: str) -> Json | None:
        """Return the value, or None."""
        held = self._read(key)
        return _load(held) if held is not None else None

    def delete(self, *keys: str, if_value: Json | None = None) -> None:
        """Remove them one by one, with ``if_value`` only if that is their value."""
        for key in keys:
            if if_value is None or self.get(key) == if_value:
                self._take(key, if_value)

    def scan(self, prefix: str) -> Iterator[tuple[str, Json]]:
        """Yield every record under the prefix, in the order of their keys.

        They are all read first: a Dict has no order, and a scan that breaks off begins again.
        """
        part, colon, _ = prefix.partition(":")
        parts = [part] if colon else self._parts(part)
        found = [
            item for each in parts for item in self._items(each) if item[0].startswith(prefix)
        ]
        return iter([(key, _load(text)) for key, text in sorted(found)])

    # -- Modal -----------------------------------------------------------------------------

    def _on(self, key: str, call: Callable[[modal.Dict], T]) -> T:
        """Ask something of the key's Dict."""
        part = key.partition(":")[0]

        def once() -> T:
            try:
                return call(self._dict(part))
            except exception.NotFoundError:
                self._dicts.pop(part, None)
                raise

        return _patient(once)

    def _dict(self, part: str) -> modal.Dict:
        """Return a handle that is looked up, or made, at its first use; kept from then on."""
        held = self._dicts.get(part)
        if held is None:
            if not PART.fullmatch(part):
                raise ValueError(
                    f"key part {part!r}: use 1 to 30 lower-case letters, digits and _ before the :"
                )
            name = f"{self._app}-{part}"
            held = self._dicts[part] = modal.Dict.from_name(
                name, create_if_missing=True, client=self._client
            )
        return held

    def _parts(self, beginning: str) -> list[str]:
        """Return the first parts that there are Dicts for. Nothing of the framework asks that."""
        dicts = _patient(lambda: modal.Dict.objects.list(client=self._client))
        names = [each.name or "" for each in dicts]
        mine = [name.removeprefix(f"{self._app}-") for name in names if name != self._app]
        return [part for part in mine if PART.fullmatch(part) and part.startswith(beginning)]

    def _read(self, key: str) -> str | None:
        text: str | None = self._on(key, lambda each: each.get(key))
        return text

    def _items(self, part: str) -> list[tuple[str, str]]:
        return self._on(part, lambda each: list(each.items()))

    def _take(self, key: str, if_value: Json | None) -> None:
        text: str | None = self._on(key, lambda each: each.pop(key, None))
        if text is None or if_value is None or _load(text) == if_value:
            return
        if not self._on(key, lambda each: each.put(key, text, skip_if_exists=True)):
            log.warning("record %s was replaced twice while it was deleted", key)


def _patient(call: Callable[[], T]) -> T:
    """Make a call of Modal's again while its trouble may be over in a moment."""
    patient = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(TRANSIENT),
        stop=tenacity.stop_after_attempt(ATTEMPTS) | tenacity.stop_after_delay(SECONDS),
        wait=tenacity.wait_random_exponential(0.2, max=3.0),
        reraise=True,
    )
    try:
        return patient(call)
    except TRANSIENT as error:
        raise RecordsUnavailable(f"Modal's Dicts do not answer: {error!r}") from error


def _dump(value: Json, nonce: str | None = None) -> str:
    signed: dict[str, Any] = {"nonce": nonce} if nonce else {}
    return json.dumps({**signed, "value": dict(value)}, separators=(",", ":"))


def _load(text: str) -> Json:
    value: Json = json.loads(text)["value"]
    return value
