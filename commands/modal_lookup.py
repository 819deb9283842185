"""What is deployed on Modal, looked up there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from commands.modal_advice import failure
from commands.modal_target import Target

if TYPE_CHECKING:
    import modal


def api_url(target: Target) -> str:
    """Return the address of the app's API.

    Raises:
        ModalFailed: the app is not deployed, or Modal cannot be asked.
    """
    import modal  # noqa: PLC0415 - half a second, for commands that talk to Modal only

    function = modal.Function.from_name(
        target.app.name, "api", environment_name=_environment(target), client=_client(target)
    )
    try:
        url = function.get_web_url()
    except modal.exception.Error as error:
        raise failure(str(error), target, doing=f"Looking up {target.app.name}") from error
    if url is None:
        raise failure("not deployed", target, doing=f"Looking up {target.app.name}")
    return url


def has_secret(target: Target, name: str, keys: Sequence[str]) -> bool:
    """Tell whether Modal has a secret of this name, with these keys at least.

    Raises:
        ModalFailed: Modal cannot be asked.
    """
    import modal  # noqa: PLC0415 - see above

    secret = modal.Secret.from_name(
        name,
        environment_name=_environment(target),
        required_keys=list(keys),
        client=_client(target),
    )
    try:
        secret.hydrate()
    except modal.exception.NotFoundError:
        return False
    except modal.exception.Error as error:
        raise failure(str(error), target, doing=f"Looking up the secret {name}") from error
    return True


def start_worker(target: Target, gpu: str | None) -> Any:
    """Have one GPU worker start, on `gpu` if given, and return what it tells of its start.

    Raises:
        ModalFailed: the app is not deployed, or no worker starts within its own time and an hour
            of waiting for a GPU.
    """
    import modal  # noqa: PLC0415 - see above

    from tasks.on_modal import GPU_CLASS  # noqa: PLC0415 - likewise

    runner: Any = modal.Cls.from_name(
        target.app.name, GPU_CLASS, environment_name=_environment(target), client=_client(target)
    )
    try:
        call = (runner.with_options(gpu=gpu) if gpu else runner)().ready.spawn()
        return call.get(timeout=target.app.timeouts.start_seconds + 3600)
    except (modal.exception.Error, TimeoutError) as error:
        said = f"{type(error).__name__}: {error}"
        raise failure(said, target, doing=f"Starting a worker ({said[:300]})") from error


def _environment(target: Target) -> str | None:
    return target.environ.get("MODAL_ENVIRONMENT") or None


def _client(target: Target) -> modal.Client | None:
    """Return a client with the token of `.env` or the environment; None: Modal's own file."""
    import modal  # noqa: PLC0415 - see above

    names = ("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET")
    token = [target.environ.get(name, "") for name in names]
    return modal.Client.from_credentials(*token) if all(token) else None
