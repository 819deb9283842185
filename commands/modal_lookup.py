"""What is deployed on Modal, looked up there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from commands.modal_advice import failure
from commands.modal_target import Target

if TYPE_CHECKING:
    import modal

HOUR = 3600.0
"""How long a GPU is waited for, in seconds: Modal may have none to give for a while."""


@contextmanager
def explained(target: Target, *, doing: str) -> Iterator[None]:
    """Turn what Modal raises in the block into what to do next.

    Raises:
        ModalFailed: Modal refused or could not be reached.
    """
    import modal  # noqa: PLC0415 - half a second, for commands that talk to Modal only

    try:
        yield
    except modal.exception.Error as error:
        raise failure(f"{error}", target, doing=doing) from error


def api_url(target: Target) -> str:
    """Return the address of the app's API.

    Raises:
        ModalFailed: the app is not deployed, or Modal cannot be asked.
    """
    import modal  # noqa: PLC0415 - see above

    doing = f"Looking up {target.app.name}"
    with explained(target, doing=doing):
        url = modal.Function.from_name(target.app.name, "api", **_where(target)).get_web_url()
    if url is None:
        raise failure("not deployed", target, doing=doing)
    return url


def has_secret(target: Target, name: str, keys: Sequence[str]) -> bool:
    """Tell whether Modal has a secret of this name, with these keys at least.

    Raises:
        ModalFailed: Modal cannot be asked.
    """
    import modal  # noqa: PLC0415 - see above

    with explained(target, doing=f"Looking up the secret {name}"):
        try:
            modal.Secret.from_name(name, required_keys=list(keys), **_where(target)).hydrate()
        except modal.exception.NotFoundError:
            return False
    return True


def start_worker(target: Target, gpu: str | None) -> Any:
    """Have one GPU worker start, on `gpu` if given, and return what it tells of its start.

    Raises:
        ModalFailed: the app is not deployed, or no worker starts within its own time and an hour
            of waiting for a GPU.
    """
    import modal  # noqa: PLC0415 - see above

    from tasks.on_modal import GPU_CLASS  # noqa: PLC0415 - likewise

    doing = f"Starting a worker on {gpu or ' or '.join(target.app.gpu)}"
    with explained(target, doing=doing):
        runner: Any = modal.Cls.from_name(target.app.name, GPU_CLASS, **_where(target))
        call = (runner.with_options(gpu=gpu) if gpu else runner)().ready.spawn()
        try:
            return call.get(timeout=target.app.timeouts.start_seconds + HOUR)
        except TimeoutError as error:
            call.cancel()
            raise failure("no worker has started in time", target, doing=doing) from error


def _where(target: Target) -> dict[str, Any]:
    environment = target.environ.get("MODAL_ENVIRONMENT") or None
    return {"environment_name": environment, "client": _client(target)}


def _client(target: Target) -> modal.Client | None:
    """Return a client with the token of `.env` or the environment; None: Modal's own file."""
    import modal  # noqa: PLC0415 - see above

    names = ("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET")
    token = [target.environ.get(name, "") for name in names]
    return modal.Client.from_credentials(*token) if all(token) else None
