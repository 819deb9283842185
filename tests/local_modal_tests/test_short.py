"""The stand-in in a few seconds: deploy, request, spawn, result."""

from __future__ import annotations

import pytest
import requests

from tests.local_modal import LocalModal
from tests.local_modal_tests.conftest import APPS

pytestmark = pytest.mark.live


def test_an_app_is_deployed_answers_over_http_and_leaves_nothing(fresh: LocalModal) -> None:
    fresh.deploy("sample.py", cwd=APPS)
    answer = requests.get(fresh.web_url("web"), timeout=60)
    assert answer.status_code == 200, fresh.logs()
    assert answer.json() | {"pid": 0} == {"key": "k1", "colour": "light blue", "pid": 0}
    (task,) = fresh.tasks()
    fresh.crash(task)
    assert (task.returncode, task.orphans) == (-9, [])
    assert fresh.unimplemented == set()
