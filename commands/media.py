"""The option that sends an input file with a workflow."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import click


class MediaType(click.ParamType[dict[str, Any]]):
    """PATH or NAME=PATH, where PATH may also be an http:// or https:// address."""

    name = "[NAME=]PATH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        """Return the file as the API takes it."""
        name, equals, place = str(value).partition("=")
        if _is_address(value) or Path(value).is_file() or not equals:
            name, place = "", value
        if _is_address(place):
            return {"name": name or place.partition("?")[0].rpartition("/")[2], "url": place}
        try:
            content = Path(place).read_bytes()
        except OSError as error:
            self.fail(f"{place!r} cannot be read: {error.strerror}", param, ctx)
        data = base64.b64encode(content).decode()
        return {"name": name or Path(place).name, "data": data}


def _is_address(text: str) -> bool:
    return text.startswith(("https://", "http://"))
