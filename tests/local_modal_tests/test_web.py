"""Web functions behind the stand-in's HTTP ports."""

from __future__ import annotations

import pytest
import requests

from tests.local_modal import LocalModal

pytestmark = [pytest.mark.live, pytest.mark.slow]


def test_a_request_spawns_a_call_whose_result_others_read(local: LocalModal) -> None:
    answer = requests.post(local.web_url("web"), json={"n": 1}, timeout=60)
    assert answer.status_code == 200, local.logs()
    call = local.calls()[answer.json()["call"]]
    local.wait(lambda: call.done)
    assert call.inputs[0].output is not None
    assert call.inputs[0].output.result.exception == ""


def test_a_request_that_takes_too_long_is_redirected_to_wait(local: LocalModal) -> None:
    url = f"{local.web_url('web')}/?sleep=3"
    local.web_timeout = 0.5
    try:
        first = requests.get(url, timeout=60, allow_redirects=False)
        assert first.status_code == 303
        location = first.headers["location"]
        assert "__modal_function_call_id=fc-" in location
        again = requests.post(local.web_url("web") + location, timeout=60)
        assert (again.status_code, again.text) == (400, "modal-http: bad redirect method\n")
        last = requests.get(local.web_url("web") + location, timeout=60)
    finally:
        local.web_timeout = 150
    assert (last.status_code, last.json()["key"]) == (200, "k1")
    assert len(last.history) >= 1


def test_a_client_that_leaves_cancels_its_request(local: LocalModal) -> None:
    url = f"{local.web_url('web')}/?sleep=5"
    with pytest.raises(requests.Timeout):
        requests.get(url, timeout=0.5)
    call = list(local.calls().values())[-1]
    assert local.wait(lambda: call.cancelled)


def test_two_containers_share_the_requests_of_one_address(local: LocalModal) -> None:
    local.start_container("web", 2)
    url = local.web_url("web")

    def pids() -> set[int]:
        return {requests.get(url, timeout=60).json()["pid"] for _ in range(10)}

    assert local.wait(lambda: len(pids()) > 1)
