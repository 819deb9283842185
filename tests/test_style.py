"""The principles of style that a program can check, on every module of ours."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.test_imports import ROOT, our_files

MODULE_LINES = 300
FUNCTION_LINES = 40
USUAL_FUNCTION_LINES = 25
NESTING = 3
POSITIONAL = 5
DOCSTRING_LINE = 99
NAMELESS = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
ENTRY_POINTS = {"manage.py", "modal_app.py", "prestartup_script.py"}

BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match, ast.AsyncFor, ast.AsyncWith)
Function = ast.FunctionDef | ast.AsyncFunctionDef

FILES = list(our_files(ROOT))
TEST_FILES = sorted((ROOT / "tests").rglob("*.py"))


def each_of(files: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("file", files, ids=lambda f: f.relative_to(ROOT).as_posix())


each_file = each_of(FILES)


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def functions_of(tree: ast.AST) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def length_of(function: Function) -> int:
    """Count the lines of code from `def` to the end, without the docstring."""
    first, last = function.lineno, function.end_lineno or function.lineno
    doc = function.body[0]
    documented = ast.get_docstring(function) is not None
    return last - first + 1 - ((doc.end_lineno or 0) - doc.lineno + 1 if documented else 0)


def nesting_of(node: ast.AST) -> int:
    """Return how many blocks deep the code goes; a function inside it starts anew."""
    if isinstance(node, Function | ast.ClassDef | ast.Lambda):
        return 0
    if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        # `elif` is an If inside the other's else, but does not read as one level deeper.
        return max(1 + deepest(node.body), nesting_of(node.orelse[0]))
    return deepest(ast.iter_child_nodes(node)) + isinstance(node, BLOCKS)


def deepest(nodes: Iterable[ast.AST]) -> int:
    return max(map(nesting_of, nodes), default=0)


@each_file
def test_a_module_opens_with_one_sentence_saying_what_it_is_for(file: Path) -> None:
    first = (ast.get_docstring(tree_of(file)) or "").split("\n")[0]
    assert first.endswith("."), first
    assert len(first) <= DOCSTRING_LINE


@each_of(FILES + TEST_FILES)
def test_a_module_fits_in_its_size(file: Path) -> None:
    length = len(file.read_text(encoding="utf-8").splitlines())
    assert length <= MODULE_LINES, f"{file.relative_to(ROOT)}: split it by subject"


@each_file
def test_a_module_is_named_for_what_it_holds(file: Path) -> None:
    assert not {file.stem, file.parent.name} & NAMELESS


@each_file
def test_a_module_does_nothing_when_imported(file: Path) -> None:
    if file.name in ENTRY_POINTS:
        return
    acting = [node for node in tree_of(file).body if not is_declaration(node)]
    assert [f"line {node.lineno}: {ast.unparse(node)[:60]}" for node in acting] == []


def is_declaration(node: ast.stmt) -> bool:
    declarations = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.ClassDef, Function)
    if isinstance(node, declarations):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    # A choice between declarations: by platform, for types, or when run as a program.
    return isinstance(node, ast.If) and (
        "__name__" in ast.unparse(node.test) or all(map(is_declaration, node.body + node.orelse))
    )


@each_file
def test_functions_are_short_flat_and_take_few_arguments(file: Path) -> None:
    wrong = []
    for function in functions_of(tree_of(file)):
        depth = deepest(function.body)
        arguments = function.args.posonlyargs + function.args.args
        positional = [each for each in arguments if each.arg not in {"self", "cls"}]
        if length_of(function) > FUNCTION_LINES:
            wrong.append(f"{function.name}: {length_of(function)} lines")
        if depth > NESTING:
            wrong.append(f"{function.name}: {depth} levels")
        if len(positional) > POSITIONAL:
            wrong.append(f"{function.name}: {len(positional)} positional parameters")
    assert wrong == []


def test_nineteen_functions_of_twenty_fit_on_half_a_screen() -> None:
    lengths = [length_of(each) for file in FILES for each in functions_of(tree_of(file))]
    short = sum(length <= USUAL_FUNCTION_LINES for length in lengths)
    assert short / len(lengths) >= 0.95


@pytest.mark.parametrize(
    ("code", "depth"),
    [
        ("if a:\n if b:\n  c", 2),
        ("if a:\n if b:\n  c\nelif d:\n e", 2),
        ("if a:\n b\nelse:\n if c:\n  d\n e", 2),
        ("if a:\n b\nelif c:\n d\nelif e:\n f", 1),
        ("for a in b:\n with c:\n  try:\n   d\n  finally:\n   e", 3),
        ("if a:\n def f():\n  if b:\n   c", 1),
    ],
)
def test_nesting_is_counted_as_it_is_read(code: str, depth: int) -> None:
    assert nesting_of(ast.parse(code).body[0]) == depth
