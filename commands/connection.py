"""How a command finds the deployment it talks to, and the key for it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

import settings
from settings import Settings
from web.client import ApiError, ApiUnreachable, JobsClient, is_loopback


def with_client(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options --url and --key, and a connected `client` in their place."""

    @click.option("--url", help="Address of the API.  [default: COMFYUI_API_URL]")
    @click.option(
        "--key", help="Its key.  [default: COMFYUI_API_KEY, API_KEY or DATA_DIR/api_key]"
    )
    @functools.wraps(command)
    def connected(*, url: str | None, key: str | None, **options: Any) -> None:
        known = settings.load()
        address = url or known.comfyui_api_url
        if not address.startswith(("http://", "https://")):
            raise click.UsageError(f"--url {address}: must start with http:// or https://")
        sent = key or find_key(known, address)
        if sent is not None and not re.fullmatch(r"[\x21-\x7e]+", sent):
            raise click.UsageError("--key: must be visible ASCII characters without spaces")
        with JobsClient(address, sent) as client, _remedies():
            command(client=client, **options)

    return connected


@contextmanager
def _remedies() -> Iterator[None]:
    try:
        yield
    except ApiUnreachable as error:
        remedy = "Start the server with `python manage.py serve`, or name another with --url."
        raise click.ClickException(f"{error} {remedy}") from error
    except ApiError as error:
        if error.status != 401:
            raise
        remedy = "Name the key with --key or COMFYUI_API_KEY; `serve` says where it keeps it."
        raise click.ClickException(f"{error}\n{remedy}") from error


def find_key(known: Settings, url: str) -> str | None:
    """Return the key to send to `url`: configured, or else the one `serve` wrote on this machine.

    The written key is offered to this machine only: another one has no use for it.
    """
    configured = known.comfyui_api_key or known.api_key
    if configured or not is_loopback(url):
        return configured
    try:
        return (known.data_dir / "api_key").read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
