"""What every test may rely on."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from comfy_runner.bucket.s3_client import S3Address
from tests.s3_server import S3Server

# Whether a change is taken must not depend on luck: the same examples for the same test, and no
# limit of time on a machine that is busy. To look for more: pytest --hypothesis-profile=search
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=3000, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """Undo what a shell does to a command in the background: SIGINT ignored, by children too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3_address(s3_server: S3Server) -> S3Address:
    """An empty bucket on a real S3 server, which is live."""
    return s3_server.new_bucket()
