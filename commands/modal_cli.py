"""The Modal command line, as a child process."""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import click

from commands.modal_advice import ModalFailed, advice
from commands.modal_target import Target
from commands.terminal import printable

PROJECT = Path(__file__).resolve().parent.parent
PROGRAM = "modal_app.py"
"""What is deployed, in the project's directory."""

_KEPT_LINES = 400
"""How much of the output is searched for the cause of a failure: its end."""


IDLE = dict.fromkeys(("GPU_MIN_CONTAINERS", "GPU_BUFFER_CONTAINERS", "API_MIN_CONTAINERS"), "0")


def environment(target: Target, arguments: Sequence[str]) -> dict[str, str]:
    """Return the environment of a Modal command line.

    `modal run` brings up the whole app a second time, for one call: nothing of it stands by.
    """
    idle = IDLE if arguments[:1] == ("run",) else {}
    return {**target.environ, **idle, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}


def modal(
    target: Target,
    *arguments: str,
    doing: str,
    show: bool = True,
    otherwise: str = "Modal says above why.",
) -> str:
    """Run the Modal command line to its end and return what it printed last, stderr too.

    With `show`, each line is printed as it comes; without, only when the command fails. What to
    do about a failure that is not one of the usual ones, `otherwise` says.

    Raises:
        ModalFailed: it ended otherwise than well.
    """
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    with subprocess.Popen(
        [sys.executable, "-m", "modal", *arguments],
        cwd=PROJECT,
        env=environment(target, arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as child:
        for line in child.stdout or ():
            lines.append(line)
            if show:
                click.echo(printable(line.expandtabs()), nl=False)
    said = "".join(lines)
    if child.returncode == 0:
        return said
    if not show:
        click.echo(printable(said.expandtabs()), err=True, nl=False)
    raise ModalFailed(f"{doing} failed. {advice(said, target) or otherwise}")
