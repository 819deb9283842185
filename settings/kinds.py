"""The kinds of settings: how the text of one becomes a value, or why it cannot."""

from __future__ import annotations

import base64
import dataclasses
import ipaddress
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from settings import Settings

Value = str | int | bool | Path | tuple[str, ...] | None
Parse = Callable[[str], Value]

_ORIGIN = r"(https(?!.*:443$)|http(?!.*:80$))://([a-z0-9._-]+|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?"
"""What a browser sends as Origin (RFC 6454): it leaves out the port that its scheme implies."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is known of one setting; `parse` turns its text into its value or says why not."""

    name: str
    type: str
    default: Value
    unit: str | None
    help: str
    secret: bool
    parse: Parse = dataclasses.field(repr=False)

    @property
    def attribute(self) -> str:
        """The name of the attribute of `Settings` that holds the value."""
        return self.name.lower()

    def show(self, settings: Settings) -> str:
        """Return the value in `settings` for an operator to read: a secret only as set or not."""
        value = getattr(settings, self.attribute)
        if self.secret or value is None:
            return "not set" if value is None else "set"
        return self.written(value)

    @staticmethod
    def written(value: Value) -> str:
        """Return a value as the environment would hold it."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return str(value).lower()
        return ",".join(value) if isinstance(value, tuple) else str(value)

    def complaint(self, text: str, reason: ValueError) -> str:
        """Return the line that explains why `text` is refused and what to do about it."""
        shown = "(hidden)" if self.secret else text
        default = (
            f"use the default {self.written(self.default)}" if self.default else "go without it"
        )
        return f"{self.name}={shown}: {reason}; remove it to {default}"


def setting(default: Value, meaning: str, parse: Parse, **facts: Any) -> Any:
    """Return a field of `Settings` with what is known of it; `parse` reads its text."""
    facts = {"type": "text", "unit": None, "secret": False} | facts
    metadata = {"help": meaning, "parse": parse, "default": default} | facts
    return dataclasses.field(default=default, repr=not facts["secret"], metadata=metadata)


def number(default: int, least: int, most: int, unit: str | None, meaning: str) -> Any:
    """Return a setting that is a whole number within bounds."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text) or not least <= int(text) <= most:
            counted = f" of {unit}" if unit else ""
            raise ValueError(f"must be a whole number{counted} from {least} to {most}")
        return int(text)

    return setting(default, meaning, parse, type="whole number", unit=unit)


def text(default: str | None, pattern: str, rule: str, meaning: str, **facts: Any) -> Any:
    """Return a setting whose text has to match a pattern; `rule` says the pattern in words."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {rule}")
        return text

    return setting(default, meaning, parse, **facts)


def secret(meaning: str) -> Any:
    """Return a setting that is never shown."""
    rule = "made of visible ASCII characters without spaces"
    return text(None, r"[\x21-\x7e]+", rule, meaning, secret=True)


def webhook_secrets(meaning: str) -> Any:
    """Return a setting that lists secrets as Standard Webhooks wants them; never shown."""
    return setting(None, meaning, _parse_webhook_secrets, secret=True)


def _parse_webhook_secrets(text: str) -> str:
    for secret in re.split(r"[\s,]+", text.strip(" ,")):
        try:
            size = len(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
        except ValueError:
            size = 0
        if not (secret.startswith("whsec_") and 24 <= size <= 64):
            raise ValueError(
                "each must be whsec_ and the base64 of 24 to 64 random bytes, as "
                "`openssl rand -base64 32` prints them"
            )
    return text


def flag(meaning: str) -> Any:
    """Return a setting that is on or off, and off unless set."""
    return setting(False, meaning, _parse_flag, type="true or false")  # noqa: FBT003 - its default


def _parse_flag(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text.lower() == "true"


def origins(meaning: str) -> Any:
    """Return a setting that lists origins as browsers send them, parted by commas."""
    return setting((), meaning, _parse_origins, type="origins, parted by commas")


def _parse_origins(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(","))
    if not all(re.fullmatch(_ORIGIN, part) for part in found):
        raise ValueError(
            "must be origins such as https://app.example.com, in lower case, without a path and "
            "without the port that goes without saying; there is no wildcard"
        )
    return found


def listed(pattern: str, rule: str, meaning: str) -> Any:
    """Return a setting that lists texts of one pattern, parted by commas; none unless set."""

    def parse(text: str) -> tuple[str, ...]:
        found = tuple(part.strip() for part in text.split(","))
        if not all(re.fullmatch(pattern, part) for part in found):
            raise ValueError(f"must be {rule}, parted by commas")
        return found

    return setting((), meaning, parse, type=f"{rule}, parted by commas")


def path(default: Path | None, meaning: str) -> Any:
    """Return a setting that is a path; `~` is the home directory."""
    return setting(default, meaning, lambda text: Path(text).expanduser(), type="path")


def url(default: str | None, meaning: str) -> Any:
    """Return a setting that is an HTTP address."""
    return setting(default, meaning, _parse_url, type="URL")


def _parse_url(text: str) -> str:
    rule = "must be an http:// or https:// address with a host and no user, query or fragment"
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError as error:
        raise ValueError(rule) from error
    if not usable or re.search(r"[\s?#@]", text):
        raise ValueError(rule)
    return text.rstrip("/")


def networks(meaning: str) -> Any:
    """Return a setting that lists networks, parted by commas."""
    return setting((), meaning, _parse_networks, type="networks, parted by commas")


def _parse_networks(text: str) -> tuple[str, ...]:
    try:
        found = tuple(str(ipaddress.ip_network(part.strip())) for part in text.split(","))
    except ValueError as error:
        raise ValueError(f"must be networks such as 10.1.0.0/16,fd00::/8 ({error})") from error
    return found


def parse_arguments(text: str) -> str:
    """Return command-line flags as they are, if a shell could read them."""
    try:
        shlex.split(text)
    except ValueError as error:
        raise ValueError("must be command-line flags whose quotes are closed") from error
    return text
