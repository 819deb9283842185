"""Hugging Face, asked about a file: where it is, what it weighs, and what its content must be."""

from __future__ import annotations

import re
from typing import cast

from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import HfFileMetadata

# Exported, as its documentation says, without an `__all__` that mypy could read.
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]
from tenacity import Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

from comfy_runner.models.fetching import Patience, Remote
from comfy_runner.models.manifest import Model, ModelsError

_SITE = "https://huggingface.co"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_ID = re.compile(r"[0-9a-f]{40}")

_TRANSPORT = cast(tuple[type[Exception], ...], (*HfHubHTTPError.__bases__, OSError))
"""What a failed connection raises: the HTTP client of the library, which has been three different
ones (requests, httpx, httpx2), is known by what the library's own HTTP error derives from."""


def locate(model: Model, *, token: str | None, endpoint: str | None, patience: Patience) -> Remote:
    """Ask the hub about a model's file; what comes back is pinned to the commit of this moment.

    A file that the hub keeps outside git has its SHA-256 as ETag, any other the id that git gives
    to its content: https://huggingface.co/docs/huggingface_hub/package_reference/file_download.

    Raises:
        ModelsError: no such repository, revision or file; it is gated; or the hub is away.
    """
    # It would ask the hub for more, once a day, to tell it what kind of program calls.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    repo, revision = model.repo or "", model.revision or "main"
    found = _ask(model, token, endpoint, patience)
    commit, etag = found.commit_hash or "", found.etag or ""
    if not _GIT_ID.fullmatch(commit):
        raise ModelsError(f"{_where(model)}: the hub does not say which commit {revision!r} is")
    # The commit's own address: signed ones that it redirects to lapse within the hour.
    return Remote(
        hf_hub_url(repo, model.file, revision=commit, endpoint=endpoint),
        identity=f"{repo}/{model.file}@{commit}",
        size=found.size,
        sha256=etag if _SHA256.fullmatch(etag) else None,
        git_id=etag if _GIT_ID.fullmatch(etag) else None,
        commit=commit,
        headers=build_hf_headers(token=token),
    )


def pin(
    model: Model,
    *,
    token: str | None = None,
    endpoint: str | None = None,
    patience: Patience | None = None,
) -> tuple[str, str | None]:
    """Return the commit that a model's revision is now, and its SHA-256 if the hub knows it.

    Raises:
        ModelsError: as `locate` says.
    """
    found = locate(model, token=token, endpoint=endpoint, patience=patience or Patience())
    return found.commit or "", found.sha256


def _ask(
    model: Model, token: str | None, endpoint: str | None, patience: Patience
) -> HfFileMetadata:
    retrying = Retrying(
        stop=stop_after_attempt(patience.fruitless),
        wait=wait_random_exponential(multiplier=patience.pause, max=30.0),
        retry=retry_if_exception(_may_pass),
        reraise=True,
    )
    try:
        url = hf_hub_url(
            model.repo or "", model.file, revision=model.revision or "main", endpoint=endpoint
        )
        return retrying(get_hf_file_metadata, url, token=token, timeout=patience.connect)
    except HFValidationError as error:
        raise ModelsError(f"{_where(model)}: that is no repository's name: {error}") from error
    except HfHubHTTPError as error:
        raise ModelsError(_explain(model, error, has_token=_sends_token(token))) from error
    except _TRANSPORT as error:
        told = f"the hub cannot be reached ({type(error).__name__})"
        raise ModelsError(f"{_where(model)}: {told}; try again later") from error


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code in {408, 429}
    return isinstance(error, _TRANSPORT)


def _explain(model: Model, error: HfHubHTTPError, *, has_token: bool) -> str:
    where, page = _where(model), f"{_SITE}/{model.repo}"
    if isinstance(error, GatedRepoError):
        account = (
            "the account of HF_TOKEN has not accepted its terms, or the token may not read it"
            if has_token
            else "it needs an account that has accepted its terms, and there is no HF_TOKEN"
        )
        return (
            f"{where}: the repository is gated: {account}. Accept the terms on {page}, make a"
            f" token that may read it on {_SITE}/settings/tokens, and set HF_TOKEN to it: in .env"
            " or the environment here, in the secret of the app on Modal."
        )
    if isinstance(error, RevisionNotFoundError):
        return f"{where}: {model.repo} has no revision {model.revision!r}; see {page}/commits"
    if isinstance(error, EntryNotFoundError):
        return f"{where}: there is no such file; see {page}/tree/{model.revision or 'main'}"
    if isinstance(error, RepositoryNotFoundError) or error.response.status_code == 401:
        remedy = "correct its name" + (
            "; the account of HF_TOKEN may not see it"
            if has_token
            else "; for a private one set HF_TOKEN to a token that may read it"
        )
        return f"{where}: no repository {model.repo} can be seen; {remedy}"
    return f"{where}: the hub answers HTTP {error.response.status_code}; try again later"


def _sends_token(token: str | None) -> bool:
    """Whether requests carry a token: this one, HF_TOKEN, or one that a login has kept."""
    return any(name.lower() == "authorization" for name in build_hf_headers(token=token))


def _where(model: Model) -> str:
    return f"{model.path} (of {model.repo}, {model.file})"
