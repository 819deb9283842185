"""What each value of an app file must be: functions that return it, or say in words why not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from settings import SETTINGS

Check = Callable[[Any], Any]
"""Takes a value out of TOML and returns it as the app holds it; raises ValueError, in words."""

GPUS = (
    *("T4", "L4", "A10", "L40S", "A100", "A100-40GB", "A100-80GB", "RTX-PRO-6000"),
    *("H100", "H100!", "H200", "B200", "B200+"),
)
"""The GPU types of https://modal.com/docs/guide/gpu, which lists no others."""

MOST_GPUS = {"A10": 4}
"""GPUs that one container may have (same page); 8 where nothing is said here."""

MOST_JOB_SECONDS = 86_100
"""Modal ends a call after 24 hours; five minutes of them are for uploads and records."""

MOST_START_SECONDS = 3600
"""A worker that has not started within an hour will not."""

_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
_FILE = r"[A-Za-z0-9_(\[][A-Za-z0-9_ .+()\[\],=-]{0,199}"
_PINNED = r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,-]+\])?==[A-Za-z0-9][A-Za-z0-9.+!_-]*"
_VERSIONS = re.compile(r"\.\.|//|\.lock$|/$")
_SETTINGS = {setting.name: setting for setting in SETTINGS}


def near(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?" when a known word is close to `word`, else nothing."""
    found = difflib.get_close_matches(word[:100], list(known), n=1, cutoff=0.5)
    return f'; did you mean "{found[0]}"?' if found else ""


def text(value: Any, *, pattern: str, rule: str) -> str:
    """Return a text that matches `pattern`; `rule` says the pattern in words."""
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise ValueError(f"must be {rule}")
    return value


def whole(value: Any, *, least: int, most: int, unit: str) -> int:
    """Return a whole number within bounds."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"must be a whole number of {unit} from {least} to {most}")
    return value


def as_setting(value: Any, *, name: str) -> Any:
    """Return a value that follows the rule of the setting `name`, which overrides it."""
    setting = _SETTINGS[name]
    wanted = int if isinstance(setting.default, int) else str
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise ValueError(f"must be a {setting.type}, written {setting.written(setting.default)}")
    return setting.parse(str(value))


def parsed(given: str, *, name: str) -> Any:
    """Return the value that the text of the setting `name` stands for."""
    return _SETTINGS[name].parse(given)


def flag(value: Any) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false, without quotes")
    return value


def gpu(value: Any) -> str:
    """Return a GPU of Modal in capitals, with its count if it has one, such as H100:2."""
    wanted = text(
        value,
        pattern=r"[A-Za-z0-9][A-Za-z0-9-]*[!+]?(:[1-8])?",
        rule="a GPU type of Modal, with or without a count from 1 to 8, such as L40S or H100:2",
    ).upper()
    kind, _, count = wanted.partition(":")
    if kind not in GPUS:
        hint = near(kind, GPUS) or f"; there are {', '.join(GPUS)}"
        raise ValueError(f"names a GPU that Modal does not have{hint}")
    most = MOST_GPUS.get(kind, 8)
    if count and int(count) > most:
        raise ValueError(f"asks for more than the {most} {kind} that a container may have")
    return wanted


def price_name(value: Any) -> str:
    """Return what a price is for: a GPU type without a count, or CPU."""
    if value == "CPU":
        return "CPU"
    if isinstance(value, str) and value in GPUS:
        return value
    hint = near(str(value), (*GPUS, "CPU"))
    raise ValueError(f"is neither a GPU type of Modal, in capitals, nor CPU{hint}")


def price(value: Any) -> float:
    """Return US dollars per second."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1:
        raise ValueError("must be US dollars per second, from 0 to 1, such as 0.000542")
    return float(value)


def address(value: Any) -> str:
    """Return an https:// address of a file."""
    rule = "an https:// address with a host and without user, password or fragment"
    found = text(value, pattern=r"https://[\x21-\x7e]{1,2000}", rule=rule)
    try:
        parts = urlsplit(found)
        usable = parts.hostname and parts.path.strip("/") and parts.port != 0
    except ValueError as error:
        raise ValueError(f"must be {rule}") from error
    if not usable or "@" in parts.netloc or parts.fragment:
        raise ValueError(f"must be {rule}")
    return found


def revision(value: Any) -> str:
    """Return a branch, tag or commit of a repository."""
    rule = "a commit, a tag or a branch of the repository"
    found = text(value, pattern=r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}", rule=rule)
    if _VERSIONS.search(found):
        raise ValueError(f"must be {rule}")
    return found


def digest(value: Any) -> str:
    """Return a SHA-256 in lower case."""
    rule = "the 64 hexadecimal digits of a SHA-256"
    return text(value, pattern=r"[0-9A-Fa-f]{64}", rule=rule).lower()


name: Check = partial(
    text,
    pattern=r"(?=.{1,40}\Z)[a-z](-?[a-z0-9])*",
    rule="1 to 40 lower-case letters, digits and single hyphens, beginning with a letter, "
    "because it stands in the address https://<workspace>--<name>-api.modal.run",
)
object_name: Check = partial(
    text,
    pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
    rule="1 to 64 letters, digits, dots, hyphens and underscores, as Modal names things",
)
folder: Check = partial(
    text,
    pattern=rf"{_SEGMENT}(/{_SEGMENT}){{0,3}}",
    rule="a folder inside ComfyUI's models folder, such as checkpoints or loras/styles",
)
file: Check = partial(
    text,
    pattern=rf"({_SEGMENT}/){{0,5}}{_FILE}",
    rule="the file's path in its repository, such as model.safetensors; never .. or a leading /",
)
model_path: Check = partial(
    text,
    pattern=rf"({_SEGMENT}/){{1,4}}{_FILE}",
    rule="folder/file of one of the app's models",
)
repo: Check = partial(
    text,
    pattern=rf"(?!.*\.\.){_SEGMENT}/{_SEGMENT}",
    rule="a repository on Hugging Face, such as madebyollin/sdxl-vae-fp16-fix",
)
node_url: Check = partial(
    text,
    pattern=r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9_][A-Za-z0-9._-]*)+",
    rule="the https:// address of a Git repository, without user, query or trailing slash",
)
commit: Check = partial(
    text,
    pattern=r"[0-9a-f]{40}",
    rule="a whole commit, 40 hexadecimal digits in lower case; a branch or a tag can move "
    "(git ls-remote <url> prints commits)",
)
pinned: Check = partial(
    text, pattern=_PINNED, rule="a package at one exact version, such as sageattention==1.0.6"
)
workflow: Check = partial(
    text, pattern=r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}", rule="the name of a workflow kept here"
)
snapshot: Check = partial(text, pattern="off|cpu|gpu", rule='"off", "cpu" or "gpu"')
job_seconds: Check = partial(whole, least=1, most=MOST_JOB_SECONDS, unit="seconds")
start_seconds: Check = partial(whole, least=10, most=MOST_START_SECONDS, unit="seconds")
