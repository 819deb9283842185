"""Whatever a user of the framework can reach is exported, described and typed."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tasks.framework
from tasks.framework import errors
from tasks.framework.sending import SendOptions

PACKAGE = tasks.framework.__name__
HOME = Path(tasks.framework.__file__).parent
EXPORTED = {name: getattr(tasks.framework, name) for name in tasks.framework.__all__}


def is_ours(value: object) -> bool:
    module = getattr(value, "__module__", None) or ""
    return module == PACKAGE or module.startswith(f"{PACKAGE}.")


def functions_of(cls: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield what a class defines itself and its users call: methods, and what properties read."""
    for name, value in vars(cls).items():
        if isinstance(value, property) and value.fget:
            yield name, value.fget
        elif isinstance(value, classmethod | staticmethod):
            yield name, value.__func__
        elif inspect.isfunction(value):
            yield name, value


def is_written(function: Callable[..., Any]) -> bool:
    """Whether it stands in our code; dataclasses make the others."""
    code: types.CodeType | None = getattr(function, "__code__", None)
    return code is not None and Path(code.co_filename).is_relative_to(HOME)


def is_public(name: str) -> bool:
    return not name.startswith("_")


def mentioned(annotation: object) -> Iterator[object]:
    """Yield an annotation and everything in its brackets."""
    yield annotation
    for inner in (typing.get_origin(annotation), *typing.get_args(annotation)):
        if isinstance(inner, list):  # the arguments of a Callable
            for each in inner:
                yield from mentioned(each)
        elif inner is not None:
            yield from mentioned(inner)


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    module = inspect.getmodule(function)
    return typing.get_type_hints(function, globalns=dict(vars(module)) if module else None)


def uses_of(value: object) -> Iterator[object]:
    """Yield the types in the annotations of a function, or of a class's fields and methods."""
    called: list[Callable[..., Any]] = []
    if inspect.isfunction(value):
        called = [value, *typing.get_overloads(value)]
    elif isinstance(value, type):
        called = [each for name, each in functions_of(value) if is_public(name)]
        for hint in typing.get_type_hints(value).values():
            yield from mentioned(hint)
    for each in called:
        for hint in hints_of(each).values():
            yield from mentioned(hint)


def reachable() -> dict[str, object]:
    """Return the exported names and, by their annotations, all that they lead to."""
    found: dict[str, object] = {}
    pending: list[object] = [
        value if isinstance(value, type) or inspect.isroutine(value) else type(value)
        for value in EXPORTED.values()
    ]
    while pending:
        value = pending.pop()
        name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
        if not is_ours(value) or not (isinstance(value, type) or inspect.isfunction(value)):
            continue
        if name not in found and is_public(name.rpartition(".")[2]):
            found[name] = value
            pending.extend(uses_of(value))
    return found


REACHABLE = reachable()
CLASSES = {name: value for name, value in REACHABLE.items() if isinstance(value, type)}
CALLABLES: dict[str, Callable[..., Any]] = {
    **{name: value for name, value in REACHABLE.items() if inspect.isfunction(value)},
    **{
        f"{name}.{method}": function
        for name, cls in CLASSES.items()
        for method, function in functions_of(cls)
        if is_written(function)
    },
}
PUBLIC_CALLABLES = {name: value for name, value in CALLABLES.items() if "._" not in name}


def test_enough_is_reachable_for_these_tests_to_mean_something() -> None:
    ends = {name.removeprefix(PACKAGE) for name in REACHABLE}
    assert {".stores.Store", ".archives.Archive", ".reading.Reading", ".retry.Retry"} <= ends
    assert len(PUBLIC_CALLABLES) > 60


def test_the_exported_names_are_sorted_and_each_is_there_once() -> None:
    assert tasks.framework.__all__ == sorted(set(tasks.framework.__all__))


def test_what_the_package_imports_it_exports() -> None:
    imported = {
        name
        for name, value in vars(tasks.framework).items()
        if is_public(name) and not inspect.ismodule(value) and name != "annotations"
    }
    assert imported == set(EXPORTED)


def test_every_error_is_exported() -> None:
    raised = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, BaseException) and is_ours(value)
    }
    assert raised <= set(EXPORTED)


def test_whatever_an_option_may_be_is_exported() -> None:
    """`Link` and `Declared` are ports that exported classes fill."""
    takes = [*typing.get_type_hints(SendOptions).values()]
    for overload in typing.get_overloads(tasks.framework.task):
        takes += [hint for name, hint in hints_of(overload).items() if name != "return"]
    ours = {each for hint in takes for each in mentioned(hint) if is_ours(each)}
    classes = {each for each in ours if isinstance(each, type) and not is_port(each)}
    assert tasks.framework.Retry in classes
    assert classes <= set(EXPORTED.values())


def is_port(cls: type) -> bool:
    return bool(getattr(cls, "_is_protocol", False))


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_says_what_it_is(name: str) -> None:
    cls = CLASSES[name]
    assert cls.__doc__
    generated = dataclasses.is_dataclass(cls) and cls.__doc__.startswith(f"{cls.__name__}(")
    assert not generated
    assert "__doc__" in vars(cls)


@pytest.mark.parametrize("name", PUBLIC_CALLABLES)
def test_everything_that_can_be_called_or_read_says_what_it_does(name: str) -> None:
    assert PUBLIC_CALLABLES[name].__doc__


@pytest.mark.parametrize("name", CALLABLES)
def test_every_parameter_and_result_has_a_type(name: str) -> None:
    signature = inspect.signature(CALLABLES[name])
    parameters = signature.parameters.values()
    untyped = {each.name for each in parameters if each.annotation is inspect.Parameter.empty}
    assert untyped <= {"self", "cls"}
    assert signature.return_annotation is not inspect.Signature.empty


BRANCH = re.compile(r"^(?P<bars>[ │]*)(?:[├└]── )?(?P<name>[A-Z]\w+)\b")


def drawn() -> dict[str, str]:
    """Return each error of the tree in the module's docstring with the one above it."""
    above: dict[str, str] = {}
    line_of: list[str] = []
    for line in (errors.__doc__ or "").splitlines()[2:]:
        branch = BRANCH.match(line)
        if branch is None:
            break
        depth = branch.start("name") // 4
        line_of[depth:] = [branch["name"]]
        above[branch["name"]] = line_of[depth - 1] if depth else "Exception"
    return above


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    real = {
        name: value.__bases__[0].__name__
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert drawn() == real
