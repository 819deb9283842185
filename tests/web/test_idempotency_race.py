"""Idempotency keys in a race of real web processes over one store."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from settings import Settings
from tests.test_imports import ROOT
from tests.web.key_racer import KEYS
from tests.web.real_jobs import real_api


def test_many_web_processes_make_one_job_of_each_key(tmp_path: Path) -> None:
    start = str(time.time() + 3)
    command = [sys.executable, "-m", "tests.web.key_racer", str(tmp_path), start]
    racers = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = [racer.communicate(timeout=60)[0] for racer in racers]

    assert [racer.returncode for racer in racers] == [0] * 4
    told = [json.loads(each) for each in said]
    assert told == [told[0]] * 4
    assert len(set(told[0].values())) == len(KEYS)
    with real_api(Settings(api_key="k", data_dir=tmp_path)) as api:
        assert len(list(api.protocol.store.scan("job:"))) == len(KEYS)
