"""One web process of a race for idempotency keys: sends every key, and tells which job it got."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from settings import Settings
from tests.web.real_jobs import GRAPH, RealApi, real_api

KEYS = [f"key-{n}" for n in range(15)]
PATIENCE_SECONDS = 20.0


def job_of(api: RealApi, key: str) -> str:
    """Send the request until it is answered with its job."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        body = {"workflow": GRAPH, "user_id": key}
        answer = api.client.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})
        if answer.status_code == 202:
            return str(answer.get_json()["job_id"])
        if answer.status_code != 409:
            raise RuntimeError(answer.text)
    raise TimeoutError(key)


def main(data: str, start: str) -> None:
    """Race from the moment ``start`` on, with the other processes on the same data."""
    with real_api(Settings(api_key="k", data_dir=Path(data))) as api:
        time.sleep(max(0.0, float(start) - time.time()))
        found = {key: job_of(api, key) for key in KEYS}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
