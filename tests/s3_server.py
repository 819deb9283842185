"""A real S3 server that checks signatures and expiry, in a process of its own on loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Self

import boto3.session
import pytest

from comfy_runner.bucket.retries import Patience
from comfy_runner.bucket.s3_client import S3Address, make_client
from tests.waiting import eventually

ENVIRONMENT = Path(__file__).resolve().parents[1] / ".venv-s3"
REGION = "us-east-1"  # signed URLs of "auto" it redirects; R2 takes both
ROOT_KEY = "test"  # of the server's owner, whose signed requests it does not check


class S3Server:
    """From `start` to `stop`, a server on one port; it forgets all when it stops."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._buckets = 0
        self._keys = (ROOT_KEY, ROOT_KEY)
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def new_bucket(self) -> S3Address:
        """Make an empty bucket."""
        self._buckets += 1
        address = S3Address(self.url, f"bucket-{self._buckets}", *self._keys, region=REGION)
        client = make_client(address, Patience())
        client.create_bucket(Bucket=address.name)
        client.close()
        return address

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server; return when it answers."""
        program = ENVIRONMENT / "bin" / "ministack"
        if not program.exists():
            pytest.fail(f"The S3 server of the tests is not there ({program}): make s3-server")
        self.port = self.port or free_port()
        self._directory.mkdir(exist_ok=True)
        with (self._directory / "s3.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program],
                cwd=self._directory,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self._directory),
                    "TMPDIR": str(self._directory),
                    "SERVICES": "s3,iam,sts",
                    "AUTH": "true",
                    "BIND_HOST": "127.0.0.1",
                    "GATEWAY_PORT": str(self.port),
                },
                stdout=log,
                stderr=log,
            )
        eventually(self._answers)
        self._keys = self._new_keys()

    def stop(self) -> None:
        """Kill the server; nothing of it is kept."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _new_keys(self) -> tuple[str, str]:
        """Make a user who may do all with S3; return the id and the secret of its key."""
        session = boto3.session.Session(ROOT_KEY, ROOT_KEY, region_name=REGION)
        iam = session.client("iam", endpoint_url=self.url)
        allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.create_user(UserName="user")
        iam.put_user_policy(UserName="user", PolicyName="all", PolicyDocument=policy)
        key = iam.create_access_key(UserName="user")["AccessKey"]
        iam.close()
        return key["AccessKeyId"], key["SecretAccessKey"]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._directory / "s3.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


def through(port: int, address: S3Address) -> S3Address:
    """Return the address as seen by who goes through a proxy on that port of this machine."""
    return replace(address, endpoint_url=f"http://127.0.0.1:{port}")


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
