"""What can go wrong between a client and the API, as exceptions fit to be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class ClientError(Exception):
    """What went wrong between this client and the API; the message is fit to be shown."""


class ApiUnreachable(ClientError):
    """Nothing answered at the URL, or not within the timeout."""


class UnexpectedAnswer(ClientError):
    """Something answered, but not as this API does."""


class DownloadFailed(ClientError):
    """An output could not be fetched whole or written to disk."""


class TookTooLong(ClientError):
    """The job had not ended when the time to wait for it was over; it still goes on."""


class ApiError(ClientError):
    """The API refused a request and said why (RFC 9457).

    `code` is the word for it that never changes, `retry_after` the seconds the API asked for.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        errors: Sequence[Mapping[str, str]] = (),
        *,
        code: str = "",
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.code = code
        self.retry_after = retry_after
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """Say everything the API said, one problem a line."""
        first = f"{self.detail or self.title} (HTTP {self.status})"
        problems = [
            f"  {each.get('pointer', '')}: {each.get('detail', '')}" for each in self.errors
        ]
        return "\n".join([first, *problems])


def may_pass(error: ClientError) -> bool:
    """Tell whether the same request may succeed a moment later."""
    if isinstance(error, ApiError):
        # 409 of this code: the first request with our own key is still being answered
        return error.status in {429, 502, 503, 504} or error.code == "idempotency_key_in_use"
    return isinstance(error, ApiUnreachable)
