"""The command that puts an app's secrets on Modal."""

from __future__ import annotations

import json
import secrets as randomness
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from commands.modal_cli import modal
from commands.modal_lookup import has_secret
from commands.modal_target import Target, with_target
from settings import Settings

API_KEYS = ("API_KEY", "WEBHOOK_SECRET")
R2_KEYS = ("R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "R2_ENDPOINT_URL", "R2_BUCKET_NAME")


@click.command()
@with_target
def secrets(*, target: Target) -> None:
    """Put API_KEY and the four R2_... of the environment or .env on Modal.

    What Modal has under these names is replaced. Without an API_KEY, one is made and shown, this
    once, unless Modal has one already. No other value is ever printed. Containers that run keep
    what they started with: deploy again after a change.
    """
    given = _given(target, (*API_KEYS, *R2_KEYS))
    Settings.from_environment(given)
    _put_api_key(target, {name: given[name] for name in API_KEYS if name in given})
    _put_bucket(target, {name: given[name] for name in R2_KEYS if name in given})


def _put_api_key(target: Target, values: dict[str, str]) -> None:
    name = target.app.secrets.api
    made = None
    if "API_KEY" not in values:
        if has_secret(target, name, ["API_KEY"]):
            click.echo(f"{name} is on Modal already and stays as it is; API_KEY is not set here.")
            return
        made = values["API_KEY"] = randomness.token_urlsafe(32)
    _put(target, name, values)
    if made is not None:
        click.echo("API_KEY is new. This is the only time that it is shown:", err=True)
        click.echo(made)


def _put_bucket(target: Target, values: dict[str, str]) -> None:
    name = target.app.secrets.r2
    if values:
        _put(target, name, values)
        return
    if has_secret(target, name, R2_KEYS):
        click.echo(f"{name} is on Modal already and stays as it is; no R2_... is set here.")
        return
    wanted = ", ".join(R2_KEYS)
    remedy = "Set them in the environment or in .env and run this again; docs/storage.md tells how"
    raise click.ClickException(f"{name} needs {wanted}. {remedy} to make a bucket.")


def _put(target: Target, name: str, values: Mapping[str, str]) -> None:
    """Send a secret from a file that only this user can read: arguments are seen by all."""
    with tempfile.TemporaryDirectory(prefix="secrets-") as directory:
        file = Path(directory) / "values.json"
        file.write_text(json.dumps(dict(values)), encoding="utf-8")
        command = ("secret", "create", name, "--force", "--from-json", str(file))
        modal(target, *command, doing=f"Making the secret {name}", show=False)
    click.echo(f"{name} is on Modal, with {', '.join(values)}.")


def _given(target: Target, names: tuple[str, ...]) -> dict[str, str]:
    found = {name: target.environ.get(name, "").strip() for name in names}
    return {name: value for name, value in found.items() if value}
