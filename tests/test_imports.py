"""Who may import whom: every arrow between our packages, and the one home of each third party."""

from __future__ import annotations

import ast
import graphlib
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOT_SEARCHED = {"tests", "build", "dist"}

ALL = ("*",)
MAY_IMPORT = {
    "manage": ALL,
    "modal_app": ALL,
    "commands": ALL,
    "settings": (),
    "web": (
        "apps",
        "settings",
        "tasks",
        "comfy_runner.bucket",
        "comfy_runner.catalog",
        "comfy_runner.editor_format",
        "comfy_runner.errors",
        "comfy_runner.graph",
        "comfy_runner.hardware",
        "comfy_runner.media",
        "comfy_runner.validation",
        "workflows",
    ),
    "tasks": ("apps", "settings", "tasks.framework", "comfy_runner"),
    "tasks.framework": (),
    "comfy_runner": ("settings", "tasks.framework.worker"),
    "comfy_runner.companion": (),
    "workflows": (),
    "apps": ("settings",),
    "memory_snapshot_helper": (),
}

COMPANION = ("comfy_runner/companion/",)

HOMES = {
    "aiohttp": (*COMPANION, "memory_snapshot_helper/"),
    "apispec": ("web/description/",),
    "blinker": ("tasks/framework/",),
    "av": ("comfy_runner/facts.py",),
    "boto3": ("comfy_runner/bucket/",),
    "botocore": ("comfy_runner/bucket/",),
    "types_boto3_s3": ("comfy_runner/bucket/",),
    "click": ("manage.py", "commands/"),
    "comfy_api": COMPANION,
    "comfy_execution": COMPANION,
    "execution": COMPANION,
    "flask": ("web/",),
    # modal raises this library's errors where it does not make them its own
    "grpclib": ("tasks/framework/backends/modal.py", "tasks/framework/stores/modal_dict.py"),
    "huggingface_hub": ("comfy_runner/models/hub.py",),
    "limits": ("web/rate.py",),
    "marshmallow": ("web/", "apps/schema.py"),
    "modal": (
        "modal_app.py",
        "commands/modal_lookup.py",
        "tasks/framework/backends/modal.py",
        "tasks/framework/stores/modal_dict.py",
    ),
    "nodes": COMPANION,
    "PIL": ("comfy_runner/facts.py",),
    "prometheus_client": ("web/metrics.py",),
    "requests": (
        "web/client/",
        "comfy_runner/client.py",
        "comfy_runner/models/",
        "comfy_runner/safe_http.py",
    ),
    "rich": ("commands/",),
    "server": COMPANION,
    "tenacity": (
        "comfy_runner/bucket/",
        "comfy_runner/media/",
        "comfy_runner/models/",
        "tasks/framework/database.py",
        "tasks/framework/stores/modal_dict.py",
        "tasks/webhook_sending.py",
    ),
    "torch": ("comfy_runner/tiny_models/",),
    "waitress": ("commands/http_server.py",),
    "urllib3": ("comfy_runner/models/", "comfy_runner/safe_http.py"),
    "websocket": ("comfy_runner/client.py",),
    "werkzeug": ("web/",),
}
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv"}
READERS = ("settings/__init__.py", "memory_snapshot_helper/prestartup_script.py")


@dataclass(frozen=True)
class Arrow:
    """One import: where it stands, in which package, and what it names."""

    place: str
    file: str
    package: str
    target: str


def our_files(root: Path) -> Iterator[Path]:
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root).parts
        if parts[0] not in NOT_SEARCHED and not any(part.startswith(".") for part in parts):
            yield file


def module_name(file: Path, root: Path) -> str:
    return ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def package_of(module: str) -> str:
    for apart in ("tasks.framework", "comfy_runner.companion"):
        if module == apart or module.startswith(f"{apart}."):
            return apart
    return module.split(".", maxsplit=1)[0]


def arrows_of(root: Path) -> list[Arrow]:
    """Return every import in the tree, those inside functions and by name too."""
    modules = {module_name(file, root) for file in our_files(root)}
    found = []
    for file in our_files(root):
        path = file.relative_to(root).as_posix()
        package = package_of(module_name(file, root))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), path)):
            for target in targets_of(node, modules):
                found.append(Arrow(f"{path}:{getattr(node, 'lineno', 0)}", path, package, target))
    return found


def targets_of(node: ast.AST, modules: set[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = "." * node.level + (node.module or "")
        whole = [f"{base}.{alias.name}" for alias in node.names]
        return sorted({name if name in modules | ENVIRONMENT else base for name in whole})
    if isinstance(node, ast.Call):
        return imported_by_name(node)
    if isinstance(node, ast.Attribute):
        return [name for name in [ast.unparse(node)] if name in ENVIRONMENT]
    return []


def imported_by_name(call: ast.Call) -> list[str]:
    called = ast.unparse(call.func)
    if called not in {"import_module", "importlib.import_module", "__import__"}:
        return []
    name = call.args[0] if call.args else None
    return [str(name.value) if isinstance(name, ast.Constant) else "<a computed name>"]


def complaint(arrow: Arrow, ours: set[str]) -> str | None:
    """Say what is wrong with an arrow; None if nothing is."""
    top = arrow.target.split(".", maxsplit=1)[0]
    if arrow.target in ENVIRONMENT:
        readers = " and ".join(READERS)
        return None if arrow.file in READERS else f"only {readers} read the environment"
    if arrow.package not in MAY_IMPORT:
        return f"{arrow.package} has no row in the table of who may import whom"
    if top in ours:
        return complaint_of_ours(arrow)
    if top in sys.stdlib_module_names:
        return None
    if top not in HOMES:
        return f"{top or arrow.target} has no home in the table of third parties"
    if any(arrow.file == home or arrow.file.startswith(home) for home in HOMES[top]):
        return None
    return f"{top} belongs in {', '.join(HOMES[top])}"


def complaint_of_ours(arrow: Arrow) -> str | None:
    allowed = MAY_IMPORT[arrow.package]
    target = package_of(arrow.target)
    if allowed is ALL or target == arrow.package:
        return None
    if any(arrow.target == name or arrow.target.startswith(f"{name}.") for name in allowed):
        return None
    return f"{arrow.package} may import {', '.join(allowed) or 'nothing of ours'}"


def wrong_arrows(root: Path) -> list[str]:
    ours = {package_of(module_name(file, root)).split(".")[0] for file in our_files(root)}
    complaints = ((arrow, complaint(arrow, ours)) for arrow in arrows_of(root))
    return [f"{arrow.place}: {arrow.target}: {said}" for arrow, said in complaints if said]


def package_graph(root: Path) -> dict[str, set[str]]:
    packages = {package_of(module_name(file, root)) for file in our_files(root)}
    graph: dict[str, set[str]] = defaultdict(set)
    for arrow in arrows_of(root):
        target = package_of(arrow.target)
        graph[arrow.package] |= {target} & (packages - {arrow.package})
    return graph


def test_every_import_goes_in_an_allowed_direction() -> None:
    wrong = wrong_arrows(ROOT)
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_package_graph_has_no_circles() -> None:
    graph = package_graph(ROOT)
    order = list(graphlib.TopologicalSorter(graph).static_order())
    print()  # noqa: T201 (for `pytest -s`)
    for package in reversed(order):
        targets = ", ".join(sorted(graph[package])) or "(nothing of ours)"
        print(f"  {package:<16} -> {targets}")  # noqa: T201 (for `pytest -s`)
    assert {"web", "tasks", "tasks.framework", "comfy_runner", "settings"} <= set(order)


def test_settings_come_to_the_runner_as_a_type_only() -> None:
    wrong = []
    for file in our_files(ROOT / "comfy_runner"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "settings":
                wrong += [f"{file.name}: {a.name}" for a in node.names if a.name != "Settings"]
            if isinstance(node, ast.Import):
                wrong += [f"{file.name}: {a.name}" for a in node.names if a.name == "settings"]
    assert wrong == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("web/views.py", "import comfy_runner.runner"),
        ("web/views.py", "from comfy_runner import runner"),
        ("web/views.py", "import commands.serve"),
        ("web/views.py", "def later():\n    import boto3"),
        ("web/views.py", "import importlib; importlib.import_module('torch')"),
        ("tasks/jobs.py", "from web import create_app"),
        ("tasks/jobs.py", "import flask"),
        ("tasks/framework/task.py", "import tasks.jobs"),
        ("tasks/framework/task.py", "import settings"),
        ("tasks/framework/task.py", "from tasks import jobs"),
        ("comfy_runner/runner.py", "import tasks.jobs"),
        ("comfy_runner/runner.py", "from tasks.framework import task"),
        ("comfy_runner/runner.py", "import websocket"),
        ("comfy_runner/runner.py", "import click"),
        ("comfy_runner/runner.py", "from server import PromptServer"),
        ("comfy_runner/companion/pack/__init__.py", "import comfy_runner.errors"),
        ("comfy_runner/companion/pack/__init__.py", "import settings"),
        ("comfy_runner/runner.py", "import os; os.environ['A']"),
        ("comfy_runner/runner.py", "from os import environ"),
        ("workflows/__init__.py", "import settings"),
        ("workflows/__init__.py", "import unheard_of"),
        ("settings/__init__.py", "import web"),
        ("stray.py", "import web"),
    ],
)
def test_a_wrong_import_is_found_and_placed(tmp_path: Path, file: str, line: str) -> None:
    for name in ("web/__init__", "tasks/__init__", "tasks/jobs", "tasks/framework/__init__"):
        write(tmp_path / f"{name}.py", "")
    for name in ("tasks/framework/task", "comfy_runner/runner", "commands/serve"):
        write(tmp_path / f"{name}.py", "")
    for name in ("settings/__init__",):
        write(tmp_path / f"{name}.py", "")
    assert wrong_arrows(tmp_path) == []
    write(tmp_path / file, line)
    wrong = wrong_arrows(tmp_path)
    assert len(wrong) == 1
    assert wrong[0].startswith(f"{file}:{line.count(chr(10)) + 1}: ")


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
