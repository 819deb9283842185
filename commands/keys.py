"""The commands that make, list and revoke the keys of callers."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import click

from commands.tasks import json_option
from commands.terminal import print_table, printable
from commands.where import Data, with_data
from tasks.keys import READ, SCOPES, WRITE, Key, UnknownKey, create, list_keys, revoke


@click.group()
def keys() -> None:
    """Make, list and revoke keys for callers, beside the master key API_KEY.

    These commands work on the records themselves, here or with --app on Modal, and need no
    running server. To replace a
    key, make a second one for the same user, put it in place, and revoke the first.
    """


@keys.command("create")
@click.option("--user", metavar="ID", help="Only for the jobs of this user.  [default: all jobs]")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    default=(WRITE, READ),
    show_default=True,
    help="What it is for; may be repeated.",
)
@click.option("--days", type=click.IntRange(1, 36500), help="Until it expires.  [default: never]")
@with_data
def create_key(
    *,
    data: Data,  # noqa: ARG001 (it is open)
    user: str | None,
    scopes: tuple[str, ...],
    days: int | None,
) -> None:
    """Make a key and print it, this once: only its digest is kept."""
    try:
        secret, key = create(owner=user, scopes=scopes, days=days)
    except ValueError as error:
        raise click.ClickException(printable(str(error))) from error
    click.echo(secret)
    click.echo(f"Key {key.id} is made; what is printed above is shown only now.", err=True)


@keys.command("list")
@json_option
@with_data
def list_all(*, data: Data, as_json: bool) -> None:
    """List every key, newest first; revoked and expired ones too."""
    found = list_keys()
    if as_json:
        shown = [asdict(key) for key in found]
        for each in shown:
            del each["digest"]
        click.echo(json.dumps({"keys": shown}, indent=2))
        return
    if not found:
        click.echo("No keys but the master key, API_KEY.")
        return
    headings = ("KEY", "STATE", "USER", "SCOPES", "CREATED", "EXPIRES", "LAST USE")
    now = data.protocol.clock()
    print_table(headings, [_row(key, now) for key in found])


@keys.command("revoke")
@click.argument("key_id", metavar="KEY")
@with_data
def revoke_key(*, data: Data, key_id: str) -> None:  # noqa: ARG001 (it is open)
    """Have a key refused, for good: every server hears of it within seconds."""
    try:
        revoke(key_id)
    except UnknownKey as error:
        raise click.ClickException(printable(str(error))) from error
    click.echo(f"Key {key_id} is revoked.")


def _row(key: Key, now: float) -> tuple[str, ...]:
    state = "good" if key.valid(now) else "revoked" if key.revoked else "expired"
    moments = (_moment(each) for each in (key.created, key.expires, key.used))
    return (key.id, state, key.owner or "", " ".join(key.scopes), *moments)


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
