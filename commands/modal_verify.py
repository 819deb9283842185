"""The command that checks a set-up on Modal, from inside a container."""

from __future__ import annotations

import click

from commands.modal_cli import PROGRAM, modal
from commands.modal_target import Target, with_target


@click.command()
@with_target
def verify(*, target: Target) -> None:
    """Check from inside a container what an app needs: secrets, bucket, volume, models."""
    modal(
        target,
        *("run", f"{PROGRAM}::verify_setup"),
        doing="The check",
        otherwise="The lines above that begin with NO say what is missing.",
    )
    click.echo(f"The set-up of {target.app.name} is good.")
