"""Custom nodes: put into a ComfyUI at one commit each, and tried before anybody relies on them.

Run `python -m comfy_runner.nodes check CHECKOUT` where images are built: it needs nothing but
the standard library.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from comfy_runner.commands import CommandFailed, Commands
from comfy_runner.install_steps import Runs

CHECK_SECONDS = 600.0
INSTALL_SECONDS = 1800.0

_PROTECTED = "torch|torchvision|torchaudio|triton"
"""What a node's requirements may not change: ComfyUI runs on exactly these builds."""

_GIT = "git -c http.lowSpeedLimit=1000 -c http.lowSpeedTime=60 -c advice.detachedHead=false"
_PIP = "-m pip install --no-cache-dir --no-input --disable-pip-version-check"

# The lines that ComfyUI 0.3.75 writes, in nodes.py and main.py.
_TRYING = re.compile(r"Trying to load custom node (.+)")
_IMPORTED = re.compile(r"^ *\d+\.\d seconds(?P<failed> \((?:IMPORT|PRESTARTUP) FAILED\))?: (.+)$")
_SAYS_WHY = re.compile(
    r"Cannot import |Skip |Failed to execute startup-script"
    r"|(Error while calling )?comfy_entrypoint in "
)
_TRACEBACK = "Traceback (most recent call last):"
_SHOWN_LINES = 12


class Node(Protocol):
    """A repository of custom nodes at one commit."""

    @property
    def url(self) -> str:
        """Where git finds it."""

    @property
    def commit(self) -> str:
        """All 40 hexadecimal digits."""

    @property
    def pip(self) -> Sequence[str]:
        """Packages beyond those of its requirements.txt."""

    @property
    def name(self) -> str:
        """Its folder in custom_nodes."""


class NodesBroken(Exception):
    """Custom nodes could not be installed, or do not import; the message names each."""


def build_commands(
    nodes: Iterable[Node],
    *,
    directory: str,
    python: str = "python",
    protocols: Collection[str] = ("https",),
) -> list[str]:
    """Return one shell command for each node, which installs it or fails with its name.

    A command may be run again: what is at its commit is not fetched anew. The torch that is
    installed stays; a node that asks for another one fails.

    Args:
        nodes: what to install.
        directory: ComfyUI's custom_nodes.
        python: the interpreter that runs ComfyUI.
        protocols: how git may fetch.

    Raises:
        ValueError: a node's commit is not a whole one, or its address has another protocol.
    """
    return [_command(node, f"{directory}/{node.name}", python, protocols) for node in nodes]


def install(
    nodes: Sequence[Node],
    checkout: Path,
    python: Path,
    *,
    report: Callable[[str], None],
    protocols: Collection[str] = ("https",),
    commands: Runs | None = None,
) -> None:
    """Install nodes into a ComfyUI on this machine and try them.

    Raises:
        NodesBroken: one could not be installed, or does not import.
    """
    runner = commands or Commands()
    place = str(checkout / "custom_nodes")
    built = build_commands(nodes, directory=place, python=str(python), protocols=protocols)
    for node, command in zip(nodes, built, strict=True):
        report(f"custom node {node.name} at {node.commit[:7]}")
        try:
            runner.run(["sh", "-c", command], timeout=INSTALL_SECONDS)
        except CommandFailed as error:
            last = [f"  {line}" for line in error.lines[-_SHOWN_LINES:]]
            told = f"custom node {node.name} could not be installed: {error.reason}"
            raise NodesBroken("\n".join([told, *last])) from error
    if nodes:
        report("trying ComfyUI with them")
        check_imports(checkout, python, expected=[node.name for node in nodes], commands=runner)


def check_imports(
    checkout: Path,
    python: Path,
    *,
    expected: Collection[str] = (),
    timeout: float = CHECK_SECONDS,
    commands: Runs | None = None,
) -> None:
    """Start ComfyUI without a GPU until it has imported everything, and read what it says.

    Args:
        checkout: the directory of ComfyUI's main.py.
        python: the interpreter that runs it.
        expected: folders in custom_nodes that must be among what is imported.
        timeout: seconds it may take.
        commands: what runs it; tests pass their own.

    Raises:
        NodesBroken: a custom node does not import, an expected one is not there, or ComfyUI
            itself does not start; the message holds each node's error.
    """
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        try:
            (commands or Commands()).run(
                _trial(python, scratch), timeout=timeout, cwd=checkout, on_line=lines.append
            )
        except CommandFailed as error:
            raise NodesBroken(_ended(error, lines)) from error
    problems = _problems(lines, expected)
    if problems:
        raise NodesBroken("\n".join(problems))


def _command(node: Node, place: str, python: str, protocols: Collection[str]) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}", node.commit):
        raise ValueError(f"{node.name}: {node.commit!r} is no whole commit: 40 hexadecimal digits")
    if node.url.split("://", maxsplit=1)[0] not in protocols:
        raise ValueError(f"{node.url}: git may fetch by {', '.join(protocols)} only")
    at, url, commit = shlex.quote(place), shlex.quote(node.url), node.commit
    git = f"GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL={':'.join(protocols)} {_GIT} -C {at}"
    is_there = f'[ "$({_GIT} -C {at} rev-parse -q --verify HEAD)" = {commit} ]'
    fetch = f"{git} fetch -q --depth 1 {url} {commit} && {git} checkout -q -f FETCH_HEAD"
    submodules = f"{git} submodule update -q --init --recursive --depth 1"
    steps = [
        f"mkdir -p {at}",
        f"{_GIT} init -q {at}",
        f"if ! {is_there}; then {fetch}; fi",
        is_there,
        f"if [ -f {at}/.gitmodules ]; then {submodules}; fi",
        *_requirements(at, shlex.quote(python), node.pip),
    ]
    failed = shlex.quote(f"custom node {node.name}: {node.url} at {commit} cannot be installed")
    return f"{{ {' && '.join(steps)}; }} || {{ echo {failed} >&2; exit 1; }}"


def _requirements(at: str, python: str, extra: Sequence[str]) -> list[str]:
    kept = f"{at}/.git/kept.txt"
    installed = f"{python} -m pip list --format=freeze --disable-pip-version-check"
    install = f"{python} {_PIP} -c {kept}"
    steps = [
        f"{{ {installed} | grep -iE '^({_PROTECTED})==' > {kept} || true; }}",
        f"if [ -f {at}/requirements.txt ]; then {install} -r {at}/requirements.txt; fi",
    ]
    if extra:
        steps.append(f"{install} {shlex.join(extra)}")
    return steps


def _trial(python: Path, scratch: str) -> list[str]:
    places = [
        f"--{name}-directory={scratch}" for name in ("output", "input", "temp", "user")
    ]  # ComfyUI keeps nothing of a trial
    database = f"--database-url=sqlite:///{scratch}/comfyui.db"
    flags = ["--quick-test-for-ci", "--cpu", "--disable-api-nodes", "--verbose", "DEBUG"]
    front_end = f"--front-end-root={scratch}"
    return [str(python), "-u", "main.py", *flags, *places, database, front_end, "--log-stdout"]


def _problems(lines: Sequence[str], expected: Collection[str]) -> list[str]:
    found = [match for line in lines if (match := _IMPORTED.match(line))]
    broken = dict.fromkeys(match.group(2) for match in found if match["failed"])
    problems = [
        f"custom node {Path(path).name} fails to import:\n{_error_of(path, lines)}"
        for path in broken
    ]
    there = {Path(match.group(2)).name for match in found}
    missing = [name for name in expected if name not in there]
    return problems + [f"custom node {name}: ComfyUI did not look for it" for name in missing]


def _error_of(path: str, lines: Sequence[str]) -> str:
    """Return what ComfyUI said about a node: its traceback, or the one line that tells why."""
    told = [n for n, line in enumerate(lines) if path in line and _SAYS_WHY.match(line)]
    if not told:
        return "  ComfyUI does not say why"
    shown = [*_traceback_before(lines, told[0])[-_SHOWN_LINES:], lines[told[0]]]
    return "\n".join(f"  {each}" for each in shown)


def _traceback_before(lines: Sequence[str], end: int) -> Sequence[str]:
    for start in range(end - 1, -1, -1):
        if lines[start].startswith(_TRACEBACK):
            return lines[start:end]
        if _TRYING.search(lines[start]):
            break
    return ()


def _ended(error: CommandFailed, lines: Sequence[str]) -> str:
    """Say that ComfyUI ended, and in which node: one may end the whole process."""
    tried = [match.group(1) for line in lines if (match := _TRYING.search(line))]
    done = any(_IMPORTED.match(line) for line in lines)
    at = f" while it imported custom node {Path(tried[-1]).name}" if tried and not done else ""
    last = [f"  {line}" for line in lines[-_SHOWN_LINES:]]
    return "\n".join([f"ComfyUI does not start{at}: {error.reason}", *last])


def main(arguments: Sequence[str]) -> int:
    """Check the custom nodes of a ComfyUI; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m comfy_runner.nodes", description=__doc__)
    parser.add_argument("action", choices=["check"])
    parser.add_argument("checkout", type=Path, help="the directory of ComfyUI's main.py")
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("names", nargs="*", help="folders that have to be in custom_nodes")
    given = parser.parse_intermixed_args(arguments)
    try:
        check_imports(given.checkout, given.python, expected=given.names)
    except NodesBroken as error:
        print(error, file=sys.stderr)  # noqa: T201 - its output
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
