"""Telling what a ComfyUI has, when it wakes and whenever its models change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from comfy_runner.bucket import BucketError
from comfy_runner.catalog import Catalog, capture
from comfy_runner.client import ComfyClient
from comfy_runner.errors import ComfyError

PERIOD_SECONDS = 30.0
JOIN_SECONDS = 5.0

logger = logging.getLogger(__name__)

Models = dict[str, tuple[str, ...]]


class CatalogWatch:
    """A thread that gives `on_catalog` the catalogue of the ComfyUI at `url()`, and newer ones.

    Reading the catalogue takes ComfyUI about half a second, in which a workflow could run
    already: hence a thread. Models are looked at every `period` seconds, because whoever adds
    one expects workflows with it to be accepted; nodes cannot change without a new start.
    """

    def __init__(
        self,
        url: Callable[[], str],
        on_catalog: Callable[[Catalog], None],
        *,
        period: float = PERIOD_SECONDS,
    ) -> None:
        self._url = url
        self._on_catalog = on_catalog
        self._period = period
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, or begin anew after `stop`; nothing happens if it already goes on."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._stopped.clear()
        self._thread = threading.Thread(target=self._watch, name="catalogue", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a question that is under way may take a few seconds. Idempotent."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)

    def _watch(self) -> None:
        known: Models | None = None
        while True:
            try:
                known = self._look(known)
            except (BucketError, ComfyError) as error:  # the last one told holds
                logger.warning("what ComfyUI has could not be told: %s", error)
            if self._stopped.wait(self._period):
                return

    def _look(self, known: Models | None) -> Models:
        """Tell the catalogue if the models are others than those known; return them."""
        with ComfyClient(self._url()) as client:
            models = {folder: client.models(folder) for folder in client.model_folders()}
            if models != known:
                self._on_catalog(capture(client))
        return models
