"""What a process remembers of keys, how it compares them, and how much they may ask."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import web.keyring
from settings import Settings
from tasks import keys
from tasks.keys import READ, Key, digest_of, id_of
from tests.web.conftest import KEY
from tests.web.problems import problem
from tests.web.real_jobs import GRAPH, RealApi, real_api
from tests.web.test_keys import with_key
from web.keyring import KEPT_SECONDS, Keyring


class Kept:
    """One key in place of the store, at a time that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.looked: list[str] = []
        self.secret = "ck_abcdefgh_" + "s" * 43
        self.key = Key("abcdefgh", digest_of(self.secret), None, (READ,), 1.0, None, used=999.0)

    def find(self, key_id: str) -> Key | None:
        self.looked.append(key_id)
        return self.key if key_id == self.key.id else None

    def ring(self) -> Keyring:
        return Keyring(KEY, self.find, self.refuse_note, lambda: self.now)

    def refuse_note(self, key_id: str) -> None:
        raise AssertionError(f"{key_id} was noted less than a minute ago")


def test_a_key_is_looked_up_every_few_seconds_and_a_revoked_one_then_refused() -> None:
    kept = Kept()
    ring = kept.ring()
    assert ring.rights(kept.secret)
    kept.key = replace(kept.key, revoked=1000.0)
    kept.now += KEPT_SECONDS - 0.1
    assert ring.rights(kept.secret)
    assert len(kept.looked) == 1
    kept.now += 0.1
    assert ring.rights(kept.secret) is None
    assert KEPT_SECONDS <= 5


def test_only_good_keys_are_remembered() -> None:
    kept = Kept()
    ring = kept.ring()
    unknown = "ck_zzzzzzzz_" + "s" * 43
    assert [ring.rights(unknown) for _ in range(3)] == [None] * 3
    assert kept.looked == ["zzzzzzzz"] * 3


def test_the_use_of_a_key_is_written_down_once_a_minute_by_another_thread() -> None:
    kept = Kept()
    written: list[str] = []
    ring = replace(kept.ring(), note_use=written.append)
    for seconds in (0, 30, 30, 1, 60, 1):
        kept.now += seconds
        assert ring.rights(kept.secret)
        assert ring._noting.acquire(timeout=10)  # the thread has ended its work
        ring._noting.release()
    assert written == [kept.key.id] * 2


def test_a_store_that_takes_no_note_refuses_nobody(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    kept.key = replace(kept.key, used=None)

    def fail(_: str) -> None:
        raise OSError("full")

    ring = replace(kept.ring(), note_use=fail)
    assert ring.rights(kept.secret)
    assert ring._noting.acquire(timeout=10)
    assert "was not written down: full" in caplog.text


def test_secrets_are_compared_in_constant_time_only() -> None:
    """Equality of strings ends at the first difference; so no secret meets an operator."""
    for name in ("keyring", "auth"):
        file = Path(web.keyring.__file__).with_name(f"{name}.py")
        tree = ast.parse(file.read_text(encoding="utf-8"))
        compared = [
            ast.unparse(node)
            for node in ast.walk(tree)
            if isinstance(node, ast.Compare)
            and not isinstance(node.ops[0], ast.Is | ast.IsNot)
            and any(word in ast.unparse(node) for word in ("secret", "digest", "token", "plain"))
        ]
        assert compared == []
    text = Path(web.keyring.__file__).read_text(encoding="utf-8")
    assert text.count("compare_digest") == 2


def test_an_id_is_never_a_part_of_another_record() -> None:
    assert id_of("ck_abcdefgh_" + "s" * 43) == "abcdefgh"
    for secret in ("ck_abc:used_" + "s" * 43, "ck_ABCDEFGH_" + "s" * 43, "ck_abcdefgh_s", ""):
        assert id_of(secret) is None


@pytest.fixture
def limited(settings: Settings) -> Iterator[RealApi]:
    with real_api(settings.replace(rate_limit_per_minute=2, max_queued_jobs=2)) as api:
        yield api


def test_a_key_that_asks_too_often_is_told_to_wait(limited: RealApi) -> None:
    other = with_key(limited, keys.create()[0])
    for left in (1, 0):
        answer = limited.client.get("/v1/jobs")
        assert answer.status_code == 200
        assert answer.headers["RateLimit-Policy"] == '"key";q=2;w=60'
        assert answer.headers["RateLimit"].startswith(f'"key";r={left};t=')
    answer = limited.client.get("/v1/jobs")
    problem(answer, 429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert limited.client.get("/health").status_code == 200
    assert other.get("/v1/jobs").status_code == 200
    assert "RateLimit" not in limited.app.test_client().get("/v1/jobs").headers


def test_a_full_queue_takes_no_further_job(settings: Settings) -> None:
    with real_api(settings.replace(max_queued_jobs=3)) as api:
        done = api.finished()  # whose call still waits: nobody has taken it
        for _ in range(2):
            api.submit()
        again = {"Idempotency-Key": "k"}
        for path, body in (("", {"workflow": GRAPH}), (f"/{done}/retry", {})):
            answer = api.client.post(f"/v1/jobs{path}", json=body, headers=again)
            problem(answer, 503, "queue_full")
            assert answer.headers["Retry-After"] == "10"
