"""The limit of active jobs in a race of real web processes over one store."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from settings import Settings
from tests.test_imports import ROOT
from tests.web.limit_racer import LIMIT, TRIES
from tests.web.real_jobs import real_api


def test_a_burst_from_many_processes_gets_exactly_as_many_jobs_as_allowed(tmp_path: Path) -> None:
    start = str(time.time() + 3)
    command = [sys.executable, "-m", "tests.web.limit_racer", str(tmp_path), start]
    racers = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = [racer.communicate(timeout=60)[0] for racer in racers]

    assert [racer.returncode for racer in racers] == [0] * 4
    statuses = Counter(status for each in said for status in json.loads(each))
    assert statuses == {202: LIMIT, 429: 4 * TRIES - LIMIT}
    with real_api(Settings(api_key="k", data_dir=tmp_path)) as api:
        assert len(list(api.protocol.store.scan("job:"))) == LIMIT
