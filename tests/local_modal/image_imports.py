"""Whether an image has what its containers import: containers here use the tests' own packages."""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata, resources

from tests.local_modal.files import packages_of, shipped_to
from tests.local_modal.records import Function
from tests.local_modal.state import State

HOME = "/root/"  # where Modal puts an app's source


@dataclass(frozen=True, order=True)
class Missing:
    """A module that a shipped file imports, and that would not be there."""

    file: str
    module: str


def missing_packages(
    state: State, function: Function, also: Sequence[str], *, late: bool
) -> list[Missing]:
    """Follow the imports through the shipped files, from the app's module and `also` on.

    Those inside functions count if `late`; those for the type checker never do.
    A module is there when it is Python's, shipped with the app, or in a package that the image
    installs, directly or as a requirement of another by the metadata of this environment.
    """
    shipped = sources_of(state, function)
    there = distributions_of(packages_of(state, function.proto.image_id))
    there |= of_modal(state.options.image_builder_version)
    homes = metadata.packages_distributions()
    missing: set[Missing] = set()
    left, seen = [function.proto.module_name, *also], set[str]()
    while left:
        module = left.pop()
        if module in seen:
            continue
        seen.add(module)
        for name in imported_by(module, shipped, late=late):
            top = name.partition(".")[0]
            if top in shipped:
                left.append(name)
            elif top not in sys.stdlib_module_names and not (
                there & {normal(each) for each in homes.get(top, [])}
            ):
                missing.add(Missing(module, name))
    return sorted(missing)


def of_modal(builder_version: str) -> set[str]:
    """Return the packages that Modal puts into every container itself.

    They are listed in modal/builder/VERSION.txt, in modal 1.6.4.
    """
    file = resources.files("modal") / "builder" / f"{builder_version}.txt"
    return {"modal"} | {parsed(line)[0] for line in file.read_text().splitlines() if line}


def sources_of(state: State, function: Function) -> dict[str, str]:
    """Return the Python source of each module that the function's containers have."""
    found = {}
    for path, sha in shipped_to(state, function.proto).items():
        name = path.removeprefix(HOME)
        if path.startswith(HOME) and name.endswith(".py"):
            module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            found[module] = state.files[sha].decode()
    return found


def imported_by(module: str, shipped: dict[str, str], *, late: bool) -> Iterator[str]:
    """Yield what comes with a module: the packages it is in, and what it imports."""
    parts = module.split(".")
    yield from (".".join(parts[:end]) for end in range(1, len(parts)))
    for name, certain in names_imported(shipped.get(module, ""), late=late):
        if certain or name in shipped:
            yield name


@functools.cache
def names_imported(source: str, *, late: bool) -> tuple[tuple[str, bool], ...]:
    """Return each name that the source imports, and whether it is for certain a module."""
    found: dict[tuple[str, bool], None] = {}
    for node in statements_of(ast.parse(source), late=late):
        if isinstance(node, ast.Import):
            found |= {(each.name, True): None for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found[node.module, True] = None
            found |= {(f"{node.module}.{each.name}", False): None for each in node.names}
    return tuple(found)


def statements_of(tree: ast.AST, *, late: bool) -> Iterator[ast.AST]:
    """Yield what is carried out on import, and if `late` what functions carry out, too."""
    for node in ast.iter_child_nodes(tree):
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        yield node
        if not for_types and (late or not function):
            yield from statements_of(node, late=late)


def distributions_of(requirements: Iterable[str]) -> set[str]:
    """Return the names of these packages and of all that they require."""
    found: set[str] = set()
    left = [(each, frozenset[str]()) for each in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while left:
        requirement, above = left.pop()
        name, extras = parsed(requirement)
        if (name, extras) in seen or not wanted(requirement, above):
            continue
        seen.add((name, extras))
        found.add(name)
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # the image's only, such as torch
            continue
        left += [(each, extras) for each in needs]
    return found


def parsed(requirement: str) -> tuple[str, frozenset[str]]:
    """Return the name and the extras of a requirement such as "boto3[crt]>=1.40"."""
    match = re.match(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?", requirement)
    assert match is not None, requirement
    extras = frozenset(each.strip() for each in (match[2] or "").split(",") if each.strip())
    return normal(match[1]), extras


def wanted(requirement: str, extras: frozenset[str]) -> bool:
    """Tell whether a requirement counts: one of an extra only if somebody asks for the extra."""
    extra = re.search(r"""extra\s*==\s*['"]([^'"]+)['"]""", requirement)
    return extra is None or extra[1] in extras


def normal(name: str) -> str:
    """Return the name of a distribution as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()
