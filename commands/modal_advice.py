"""What to do about the usual failures of Modal, by what it says."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from commands.modal_target import Target

_FRAME = re.compile(r"[\u2500-\u257f\s]+")
"""Blanks and what Modal draws boxes with: a message may be wrapped inside one."""


_BEGIN = re.compile(r"^(Error: |Traceback |\u256d\u2500+ (Error|Traceback))", re.MULTILINE)


class ModalFailed(click.ClickException):
    """Modal refused or failed; the message says what to do next."""


@dataclass(frozen=True)
class Advice:
    """Words in which Modal tells of a failure, and the remedy."""

    said: str
    remedy: str


ADVICE = (
    Advice(
        r"Token missing|Token validation failed|Token .{0,40}(invalid|expired|malformed|not found)"
        r"|UNAUTHENTICATED|Could not authenticate",
        "This machine is not logged in to Modal. Run `{python} -m modal setup`, or set "
        "MODAL_TOKEN_ID and MODAL_TOKEN_SECRET.",
    ),
    Advice(
        r"Secret '?[\w.-]+'? (was )?not found|No secret named",
        "Modal has no such secret yet. Run `python manage.py secrets{option}`, with the R2_... of "
        "your bucket in the environment or in .env.",
    ),
    Advice(
        r"Secret '?[\w.-]+'? is missing key|missing (required )?key",
        "The secret on Modal lacks a key. Set it in the environment or in .env and run "
        "`python manage.py secrets{option}`.",
    ),
    Advice(
        r"No App with name|App '?[\w.-]+'? (was )?not found|not deployed"
        r"|App '?[\w.-]+'? has no (function|class|object)|Lookup failed for (Function|Cls)",
        "{name} is not deployed there. Run `python manage.py deploy{option}`.",
    ),
    Advice(
        r"Environment '?[\w.-]+'? (was )?not found",
        "Modal has no such environment. `{python} -m modal environment list` shows those that "
        "there are, and `{python} -m modal environment create NAME` makes one.",
    ),
    Advice(
        r"Could not connect to the Modal server|Name or service not known|Connection refused"
        r"|Deadline exceeded|Temporary failure in name resolution",
        "Modal could not be reached. Look at the network and at https://status.modal.com, then "
        "try again.",
    ),
    Advice(
        r"No module named '?[\w.]+'?",
        "A module is missing. On this machine: `make setup`. In a container: the images in "
        "modal_app.py name what they hold, and a custom node's `pip` what it needs.",
    ),
    Advice(
        r"was modified during build process",
        "A file changed while it was uploaded: run the same again.",
    ),
    Advice(
        r"[Rr]esource.?[Ee]xhausted|quota|spend limit|plan limit",
        "The workspace has reached a limit of its plan: see its usage on https://modal.com.",
    ),
)
"""Clients of Modal 1.5 and 1.6 say these; what its servers say is known from its public issues."""


def last_words(said: str) -> str:
    """Return what was said from the last error on; all of it if none is called one.

    What comes before can be anything: a build's output, the logs of containers.
    """
    begins = [match.start() for match in _BEGIN.finditer(said)]
    return said[begins[-1] :] if begins else said


def advice(said: str, target: Target) -> str | None:
    """Return what to do about a failure that Modal told of; None if it is an unusual one."""
    flat = _FRAME.sub(" ", last_words(said))
    for each in ADVICE:
        if re.search(each.said, flat):
            return each.remedy.format(
                python=Path(sys.executable).name, option=target.option, name=target.app.name
            )
    return None


def failure(said: str, target: Target, *, doing: str) -> ModalFailed:
    """Return the error that tells of a failure while `doing` something, with the remedy."""
    return ModalFailed(f"{doing} failed. {advice(said, target) or said.strip()[-500:]}")
