"""One web process of a race for a user's places: submits job after job, and tells the statuses."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from settings import Settings
from tests.web.real_jobs import GRAPH, real_api

LIMIT, TRIES = 5, 6


def main(data: str, start: str) -> None:
    """Race from the moment ``start`` on, with the other processes on the same data."""
    settings = Settings(api_key="k", data_dir=Path(data), max_active_jobs_per_user=LIMIT)
    with real_api(settings) as api:
        time.sleep(max(0.0, float(start) - time.time()))
        body = {"workflow": GRAPH, "user_id": "alice"}
        found = [api.client.post("/v1/jobs", json=body).status_code for _ in range(TRIES)]
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
