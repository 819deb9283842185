"""The ComfyUI process: start, readiness, log and end, with the real one and with stand-ins."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from comfy_runner.client import ComfyClient
from comfy_runner.errors import ComfyNotInstalled, ComfyUnavailable
from comfy_runner.installation import Installation
from comfy_runner.server import ComfyServer, free_port
from tests.waiting import eventually


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[[str], Installation]:
    """Make an installation whose `main.py` is the given program, run by our interpreter."""

    def make(program: str) -> Installation:
        checkout = tmp_path / "checkout"
        checkout.mkdir()
        (checkout / "main.py").write_text(program)
        return Installation(checkout, Path(sys.executable), None, tmp_path / "web")

    return make


@pytest.fixture
def serve(
    stand_in: Callable[[str], Installation], tmp_path: Path
) -> Iterator[Callable[..., ComfyServer]]:
    """Start a server whose ComfyUI is the given program."""
    made: list[ComfyServer] = []

    def make(program: str, **options: object) -> ComfyServer:
        server = ComfyServer(stand_in(program), tmp_path / "home", **options)  # type: ignore[arg-type]
        made.append(server)
        server.start()
        return server

    yield make
    for server in made:
        server.kill()


def test_a_comfyui_that_ends_at_once_is_reported_with_its_log(
    serve: Callable[..., ComfyServer],
) -> None:
    server = serve("print('no module named torch')\nraise SystemExit(3)")
    with pytest.raises(ComfyUnavailable, match="exit code 3") as caught:
        server.wait_ready()
    assert caught.value.log[-1] == "no module named torch"


def test_a_comfyui_that_never_answers_is_ended_and_reported(
    serve: Callable[..., ComfyServer],
) -> None:
    program = "import time\nprint('loading', flush=True)\ntime.sleep(60)"
    server = serve(program, start_timeout=1.0)
    with pytest.raises(ComfyUnavailable, match="COMFYUI_START_TIMEOUT_SECONDS") as caught:
        server.wait_ready()
    assert caught.value.log == ("loading",)
    assert not server.alive


def test_a_comfyui_that_is_not_there_is_reported_with_the_remedy(tmp_path: Path) -> None:
    nowhere = Installation(tmp_path, Path(sys.executable), None, tmp_path / "web")
    with pytest.raises(ComfyNotInstalled, match="comfyui install"):
        ComfyServer(nowhere, tmp_path / "home").start()


def test_a_thread_may_not_start_comfyui(
    stand_in: Callable[[str], Installation], tmp_path: Path
) -> None:
    server = ComfyServer(stand_in("pass"), tmp_path / "home")
    caught: list[BaseException] = []

    def start() -> None:
        try:
            server.start()
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert len(caught) == 1
    assert not server.alive


def test_a_comfyui_that_ignores_sigint_is_killed_with_its_children(
    serve: Callable[..., ComfyServer], tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    program = (
        "import pathlib, signal, subprocess, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"pathlib.Path({str(ready)!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    server = serve(program)
    while not (ready.exists() and ready.read_text()):
        assert not server.wait_exit(0.05)
    server.stop()
    assert not server.alive
    child = Path(f"/proc/{ready.read_text()}/stat")
    assert not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z"


def test_stopping_twice_and_before_the_start_does_nothing(
    stand_in: Callable[[str], Installation], tmp_path: Path
) -> None:
    server = ComfyServer(stand_in("pass"), tmp_path / "home")
    server.stop()
    server.start()
    assert server.wait_exit(30)
    server.stop()
    server.kill()


def test_the_tail_of_the_log_has_no_colours_and_one_line_for_each_progress_bar(
    serve: Callable[..., ComfyServer],
) -> None:
    server = serve(r"print('first\n\x1b[31mred\x1b[0m\n  0%\r 50%\r100%|#| 4/4\n\n' + 'x' * 5000)")
    server.wait_exit(30)
    assert server.log_tail() == ("first", "red", "100%|#| 4/4", "x" * 500)
    assert server.log_tail(lines=2) == ("100%|#| 4/4", "x" * 500)


def test_the_log_before_the_last_start_is_kept(serve: Callable[..., ComfyServer]) -> None:
    server = serve("print('why it died')")
    server.wait_exit(30)
    server.start()
    server.wait_exit(30)
    assert server.log.with_suffix(".log.1").read_text() == "why it died\n"


def test_models_are_told_to_comfyui_folder_by_folder(
    stand_in: Callable[[str], Installation], tmp_path: Path
) -> None:
    (tmp_path / "models" / "odd_models").mkdir(parents=True)
    installation = replace(stand_in("pass"), models=tmp_path / "models")
    server = ComfyServer(installation, tmp_path / "home")
    server.start()
    server.wait_exit(30)
    told = json.loads((tmp_path / "home" / "paths.yaml").read_text())["installed"]
    assert told["base_path"] == str(tmp_path / "models")
    assert told["odd_models"] == "odd_models"
    assert told["checkpoints"] == "checkpoints"


def test_pulled_models_are_told_before_those_that_came_with_the_installation(
    stand_in: Callable[[str], Installation], tmp_path: Path
) -> None:
    for folder in ("pulled/own_models", "pulled/.pull", "installed"):
        (tmp_path / folder).mkdir(parents=True)
    installation = replace(stand_in("pass"), models=tmp_path / "installed")
    server = ComfyServer(installation, tmp_path / "home", models_dir=tmp_path / "pulled")
    server.start()
    server.wait_exit(30)
    told = json.loads((tmp_path / "home" / "paths.yaml").read_text())
    assert list(told) == ["companion", "pulled", "installed"]
    assert told["pulled"]["base_path"] == str(tmp_path / "pulled")
    assert {"own_models", "loras"} <= set(told["pulled"])
    assert ".pull" not in told["pulled"]


def test_comfyui_finds_our_companion_without_any_models_of_ours(
    serve: Callable[..., ComfyServer], tmp_path: Path
) -> None:
    serve("pass").wait_exit(30)
    told = json.loads((tmp_path / "home" / "paths.yaml").read_text())
    packs = Path(told["companion"]["custom_nodes"])
    found = {each.name for each in packs.iterdir() if (each / "__init__.py").is_file()}
    assert found == {"comfyui_jobs", "comfyui_jobs_loading"}


@pytest.mark.parametrize("keep", [False, True])
def test_comfyui_leaves_workflows_out_of_files_unless_they_are_wanted(
    serve: Callable[..., ComfyServer], *, keep: bool
) -> None:
    server = serve("import sys\nprint('--disable-metadata' in sys.argv)", keep_metadata=keep)
    server.wait_exit(30)
    assert server.log_tail() == (str(not keep),)


def test_what_a_crashed_comfyui_had_started_ends_before_the_next_one_starts(
    serve: Callable[..., ComfyServer],
) -> None:
    program = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "os._exit(77)\n"
    )
    server = serve(program)
    server.wait_exit(30)
    orphan = int(server.log_tail()[0])
    os.kill(orphan, 0)
    assert server.ending == "ended with exit code 77"
    server.start()
    eventually(lambda: not _runs(orphan))


def test_a_log_is_told_from_a_given_size_on(serve: Callable[..., ComfyServer]) -> None:
    server = serve("print('theirs')")
    server.wait_exit(30)
    size = server.log_size
    with server.log.open("a") as log:
        log.write("ours\n")
    assert server.log_tail(since=size) == ("ours",)
    assert server.log_tail() == ("theirs", "ours")


def _runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.mark.live
def test_the_companion_tells_that_the_thread_that_runs_prompts_lives(
    shared_server: ComfyServer,
) -> None:
    with ComfyClient(shared_server.url) as client:
        assert client.companion("state") == {"worker_alive": True, "running": []}
        assert client.companion("nonsense") is None


@pytest.mark.live
def test_comfyui_starts_answers_and_ends(make_server: Callable[[], ComfyServer]) -> None:
    server = make_server()
    server.start()
    server.wait_ready()
    with ComfyClient(server.url) as client:
        assert client.system_stats()["system"]["comfyui_version"]
        assert "StepNode" in client.object_info()
    first = server.pid
    server.start()
    assert server.pid == first
    server.stop()
    assert not server.alive
    with pytest.raises(ComfyUnavailable), ComfyClient(server.url) as client:
        client.system_stats()


@pytest.mark.live
def test_a_port_that_is_taken_meanwhile_is_changed(
    installation: Installation, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = iter([other.getsockname()[1], free_port()])
        server = ComfyServer(installation, tmp_path, choose_port=lambda: next(ports))
        try:
            server.start()
            server.wait_ready()
            assert server.port != other.getsockname()[1]
        finally:
            server.kill()


@pytest.mark.live
def test_another_comfyui_on_our_port_is_not_taken_for_ours(
    server: ComfyServer, installation: Installation, tmp_path: Path
) -> None:
    ports = iter([server.port, free_port()])
    second = ComfyServer(installation, tmp_path, choose_port=lambda: next(ports))
    try:
        second.start()
        second.wait_ready()
        assert second.port != server.port
    finally:
        second.kill()


@pytest.mark.live
def test_a_killed_comfyui_is_seen_as_dead(make_server: Callable[[], ComfyServer]) -> None:
    server = make_server()
    server.start()
    server.wait_ready()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert server.wait_exit(10)
    assert not server.alive
