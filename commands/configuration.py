"""The command that prints every setting."""

from __future__ import annotations

import click

import settings as configuration
from commands.terminal import print_table


@click.command("settings")
def settings() -> None:
    """Print every setting: value, default, unit and meaning; secrets stay hidden."""
    chosen = configuration.load()
    headings = ("NAME", "VALUE", "DEFAULT", "UNIT", "MEANING")
    rows = []
    for each in configuration.SETTINGS:
        default = "" if each.default is None else str(each.default)
        rows.append((each.name, each.show(chosen), default, each.unit or "", each.help))
    print_table(headings, rows)
    click.echo("\nSet them in the environment or in a file .env here; see .env.example.")
