"""The life of one delivery, around a body that may do anything."""

from __future__ import annotations

import threading

from tasks.framework import AsyncResult, State, Worker, current, signals
from tasks.framework.execute import execute
from tasks.framework.reading import read
from tasks.framework.records import Run
from tests.tasks.framework.bodies import declared, run
from tests.tasks.framework.rig import Rig, request


def test_what_the_body_returns_is_the_result_as_json(rig: Rig) -> None:
    reading = run(rig, lambda x, y: {"sum": x + y, "pair": (x, y)}, 1, 2)

    assert reading.state is State.SUCCEEDED
    assert reading.result == {"sum": 3, "pair": [1, 2]}


def test_what_the_body_raises_is_recorded_with_type_message_and_traceback(rig: Rig) -> None:
    def body() -> None:
        raise KeyError("näme")

    reading = run(rig, body)

    assert reading.state is State.FAILED
    assert reading.error is not None
    assert reading.error["type"] == "KeyError"
    assert reading.error["message"] == "'näme'"
    assert "in body" in reading.error["traceback"]


def test_an_error_may_carry_details(rig: Rig) -> None:
    class Detailed(Exception):
        details = {"code": "x", "node_id": "3"}  # noqa: RUF012 - as a property would return it

    def body() -> None:
        raise Detailed

    reading = run(rig, body)

    assert reading.error is not None
    assert reading.error["details"] == {"code": "x", "node_id": "3"}


def test_details_that_cannot_be_told_do_not_hide_the_error(rig: Rig) -> None:
    class Broken(Exception):
        @property
        def details(self) -> object:
            raise RuntimeError("no details")

    def body() -> None:
        raise Broken("the error itself")

    reading = run(rig, body)

    assert reading.error is not None
    assert reading.error["message"] == "the error itself"


def test_a_result_that_is_not_json_fails_the_run_and_names_the_value(rig: Rig) -> None:
    reading = run(rig, lambda: {"a": [1, {2}]})

    assert reading.state is State.FAILED
    assert reading.error is not None
    assert reading.error["type"] == "NotSerializable"
    assert "result['a'][1]" in reading.error["message"]


def test_a_body_that_exits_fails_its_run_and_nothing_else(rig: Rig) -> None:
    def body() -> None:
        raise SystemExit(3)

    assert run(rig, body).state is State.FAILED


def test_an_undeclared_task_fails_its_run_with_a_remedy(rig: Rig) -> None:
    rig.protocol.submit(request(task="nowhere.to.be.found"))
    rig.deliver_all()

    reading = read(rig.protocol, "J")
    assert reading is not None
    assert reading.error is not None
    assert "import the module" in reading.error["message"]


def test_a_redelivery_of_a_finished_run_does_not_run_it_again(rig: Rig) -> None:
    ran: list[int] = []
    with declared(lambda: ran.append(1)):
        rig.protocol.submit(request())
        rig.deliver_all()
        execute({"id": "J", "task": "t"})

    assert ran == [1]


def test_progress_and_log_lines_are_seen_while_the_body_runs(rig: Rig) -> None:
    seen: list[Run] = []
    written = threading.Event()

    def see(run: Run, run_id: str) -> None:
        seen.append(run)
        written.set()

    def body() -> None:
        current.progress(done=1, of=2)
        current.log("half way")
        assert written.wait(10)
        current.progress(done=2)

    with signals.progressed.connected_to(see):
        reading = run(rig, body)

    assert seen[0].meta == {"done": 1, "of": 2}
    assert reading.meta == {"done": 2, "of": 2}  # what came last is in the final, written or not
    assert [line.split("] ")[1] for line in reading.logs] == ["half way"]


def test_what_is_kept_goes_on_from_attempt_to_attempt_and_progress_does_not(rig: Rig) -> None:
    def body() -> None:
        current.keep(tries=[*current.kept.get("tries", []), current.attempt])
        if current.attempt == 1:
            current.progress(half=True)
            current.retry(after=0)

    reading = run(rig, body, retry={"limit": 1}, headers={"a": 1})

    assert (reading.kept, reading.meta) == ({"tries": [1, 2]}, {})
    assert reading.headers == {"a": 1}


def test_a_log_is_bounded(rig: Rig) -> None:
    def body() -> None:
        for n in range(600):
            current.log(f"{n} " + "x" * 5000)

    reading = run(rig, body)

    assert len(reading.logs) == 500
    assert " 599 " in f" {reading.logs[-1]} "[11:17]
    assert max(len(line) for line in reading.logs) < 2100


def test_progress_that_is_not_json_is_refused_where_it_is_reported(rig: Rig) -> None:
    reading = run(rig, lambda: current.progress(bad=object()))

    assert reading.error is not None
    assert "progress['bad']" in reading.error["message"]


def test_a_body_knows_its_id_and_attempt(rig: Rig) -> None:
    assert run(rig, lambda: [current.id, current.attempt]).result == ["J", 1]
    assert (current.id, current.attempt) == (None, 0)


class Counter(Worker):
    calls: list[str]

    def __init__(self) -> None:
        self.calls = []

    def boot(self) -> None:
        self.calls.append("boot")

    def wake(self) -> None:
        self.calls.append("wake")

    def close(self) -> None:
        self.calls.append("close")


def test_a_worker_is_started_once_and_given_to_every_body(rig: Rig) -> None:
    with declared(lambda counter, x: [*counter.calls, x], worker=Counter) as task:
        first = task.delay(1)
        rig.deliver_all()
        second = task.delay(2)
        rig.deliver_all()
        here = task(3)
    counter = rig.runtime.worker(Counter)

    assert first.get(1) == ["boot", "wake", 1]
    assert second.get(1) == ["boot", "wake", 2]
    assert here == ["boot", "wake", 3]
    rig.runtime.close()
    assert counter.calls == ["boot", "wake", "close"]


def test_a_handler_that_raises_harms_nothing(rig: Rig) -> None:
    heard: list[object] = []

    def broken(sender: object) -> None:
        raise RuntimeError("a stranger's fault")

    with signals.succeeded.connected_to(broken), signals.succeeded.connected_to(heard.append):
        reading = run(rig, lambda: 1)

    assert reading.state is State.SUCCEEDED
    assert len(heard) == 1
    assert AsyncResult[int]("J").get(1) == 1
