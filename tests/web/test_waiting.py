"""How many requests may be kept open."""

from __future__ import annotations

import time

import pytest

from comfy_runner.bucket import Bucket
from comfy_runner.outputs import Output
from settings import Settings
from tests.web.memory_jobs import a_job
from web.errors import ProblemError
from web.v1.telling import Telling
from web.waiting import Waiting


def test_all_callers_together_have_a_limit_too() -> None:
    waiting = Waiting(3, 2)
    places = [waiting.enter(caller) for caller in ("a", "a", "b")]
    for caller, limit in (("a", "2 for each key"), ("b", "3 in all")):
        with pytest.raises(ProblemError) as caught:
            waiting.enter(caller)
        assert caught.value.status == 429
        assert limit in caught.value.detail

    places[0].close()
    places[0].close()  # gives back no second place
    waiting.enter("b")
    with pytest.raises(ProblemError):
        waiting.enter("c")


def test_links_are_news_before_they_expire(settings: Settings, bucket: Bucket) -> None:
    telling = Telling(settings.replace(r2_url_ttl_seconds=1), bucket)
    image = Output("7", "image", "a.png", "outputs/j/a.png", 5, "image/png")
    first = telling.tag(job := a_job(outputs=(image,)))
    until = time.monotonic() + 10
    while telling.tag(job) == first and time.monotonic() < until:
        time.sleep(0.05)
    assert telling.tag(job) != first
