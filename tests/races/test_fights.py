"""Eight processes that want different things of the same runs at the same time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.framework import Protocol, State, runtime
from tasks.framework.backends.local import LocalBackend
from tasks.framework.execute import execute
from tasks.framework.tick import tick
from tests.modal_stand_in import stand_in
from tests.races import arena
from tests.races.fighters import crowd_in, fight, queue_up, together


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[LocalBackend]:
    yield arena.enter(tmp_path)
    arena.leave()


SLOW = pytest.param("modal", marks=[pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(300)])


@pytest.fixture(params=["sqlite", SLOW])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalBackend]:
    """Do as `backend`, also with the records in Modal's Dicts."""
    if request.param == "sqlite":
        yield arena.enter(tmp_path)
    else:
        with stand_in() as modal:
            (tmp_path / arena.MODAL).write_text(json.dumps(modal.server.env()))
            app = tmp_path.name.replace("_", "-")
            yield arena.enter(tmp_path, modal.store(app))
    arena.leave()


def left(protocol: Protocol) -> list[str]:
    """Return the keys that should not be there once all is over."""
    return [key for key, _ in protocol.store.scan("") if not key.startswith("final:")]


def unfinished(protocol: Protocol) -> int:
    """Count committed runs without an end, all seen at the same moment."""
    records = dict(protocol.store.scan(""))
    jobs = [key[4:] for key, value in records.items() if key[:4] == "job:" and not value["void"]]
    return sum(f"final:{run_id}" not in records for run_id in jobs)


def drain(backend: LocalBackend) -> None:
    """Deliver what is still queued, as a worker would."""
    while delivery := backend.claim("cpu", "drain"):
        execute(delivery.message)
        backend.done(delivery)


def test_a_run_that_is_cancelled_finished_and_expired_at_once_ends_once(
    anywhere: LocalBackend, tmp_path: Path
) -> None:
    many = 100 if (tmp_path / arena.MODAL).exists() else 500
    runs = [arena.body.delay(0).id for _ in range(many)]
    (tmp_path / "runs").write_text(" ".join(runs))
    with together(fight, tmp_path):
        pass

    protocol = runtime().protocol
    finals = {run_id: protocol.final(run_id) for run_id in runs}
    told = arena.endings(runs)
    bodies = Counter(run_id for run_id, _ in arena.notes("start"))
    tick(protocol)
    drain(anywhere)

    for run_id, final in finals.items():
        assert final is not None
        assert protocol.archive.get(run_id) == final
        assert protocol.final(run_id) == final
        assert told[run_id] == [final.state]
        assert bodies[run_id] <= (final.state is not State.EXPIRED)
        assert bodies[run_id] == 1 or final.state is not State.SUCCEEDED
    assert arena.endings(runs) == told
    assert left(protocol) == []
    assert arena.notes("beside") == []
    assert len({final.state for final in finals.values() if final}) == 3  # everybody won some


def test_a_burst_is_accepted_up_to_the_limit_and_no_further(
    anywhere: LocalBackend, tmp_path: Path
) -> None:
    protocol = runtime().protocol
    seen = {0}
    with together(crowd_in, tmp_path) as busy:
        while busy():
            seen.add(unfinished(protocol))

    assert max(seen) <= 5
    accepted = [run_id for (run_id,) in arena.notes("accepted")]
    assert len(accepted) == 5
    assert len(arena.notes("refused")) == 195
    assert {key for key, _ in protocol.store.scan("slot:")} == {
        f"slot:race.body:one:{n}" for n in range(5)
    }

    drain(anywhere)
    assert {run_id: ["succeeded"] for run_id in accepted} == arena.endings(accepted)
    assert left(protocol) == []


def test_places_under_a_limit_pass_from_run_to_run_and_are_all_free_at_the_end(
    backend: LocalBackend, tmp_path: Path
) -> None:
    protocol = runtime().protocol
    seen = {0}
    with together(queue_up, tmp_path) as busy:
        while busy():
            seen.add(unfinished(protocol))
    tick(protocol)
    drain(backend)

    assert max(seen) <= 5
    accepted = [run_id for (run_id,) in arena.notes("accepted")]
    assert len(set(accepted)) == len(accepted) == 200
    assert set(map(tuple, arena.endings(accepted).values())) == {("succeeded",)}
    assert left(protocol) == []
