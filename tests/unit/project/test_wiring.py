"""Parts are built in `shared/wiring` and nowhere else, in one style."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.sources import SHARED, files

PARTS = [p for area in ("services", "adapters") for p in files(SHARED / area, "*.py")]
CALLABLES = {"clock", "new_id"}
"""What a constructor may take as a function: it tells the time or draws an id."""


def classes(path: str) -> Iterator[ast.ClassDef]:
    """The classes of some modules, by a pattern of their paths below `shared`."""
    for file in files(SHARED, "*.py"):
        if re.match(path, file.relative_to(SHARED).as_posix()):
            yield from (node for node in ast.walk(_tree(file)) if isinstance(node, ast.ClassDef))


def called(node: ast.AST) -> set[str]:
    """The names that are called anywhere in a piece of code."""
    calls = [n.func for n in ast.walk(node) if isinstance(n, ast.Call)]
    return {f.id for f in calls if isinstance(f, ast.Name)} | {
        f.value.id
        for f in calls
        # A generic class: Records[Share](...).
        if isinstance(f, ast.Subscript) and isinstance(f.value, ast.Name)
    }


def constructor(class_: ast.ClassDef) -> ast.FunctionDef | None:
    found = (n for n in class_.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    return next(found, None)


def is_error(class_: ast.ClassDef) -> bool:
    """Whether a class is an error: those are raised wherever something goes wrong."""
    init = constructor(class_)
    return init is not None and "super().__init__(" in ast.unparse(init)


@cache
def injected() -> set[str]:
    """The classes with a constructor of their own that wiring builds: services and adapters."""
    ours = {c.name for c in classes(r"(services|adapters)/") if constructor(c) and not is_error(c)}
    built = {name for file in files(SHARED / "wiring", "*.py") for name in called(_tree(file))}
    found = ours & built
    assert {"Imports", "SeatBook", "Leases", "Idempotency", "Graph", "Vault"} <= found
    return found


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


@pytest.mark.parametrize("file", PARTS, ids=lambda p: p.relative_to(SHARED).as_posix())
def test_no_part_builds_another_part(file: Path) -> None:
    assert not called(_tree(file)) & injected()


def test_constructors_of_services_build_nothing_of_ours() -> None:
    ours = {class_.name for class_ in classes("")}
    built = {
        class_.name: called(init) & ours
        for class_ in classes("services/")
        if (init := constructor(class_)) and not is_error(class_)
    }

    assert len(built) > 20
    assert not {name: names for name, names in built.items() if names}


def test_constructors_take_objects_and_values_no_functions() -> None:
    aliases = {
        node.name.id
        for file in PARTS
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.TypeAlias) and re.search("Callable|Awaitable", ast.unparse(node))
    }
    functions = re.compile(rf"\b({'|'.join(('Callable', 'Awaitable', *sorted(aliases)))})\b")
    taken = [
        f"{class_.name}: {argument.arg}"
        for class_ in classes("(services|adapters)/")
        if class_.name in injected() and (init := constructor(class_))
        for argument in (*init.args.args[1:], *init.args.kwonlyargs)
        if argument.arg not in CALLABLES
        and functions.search(ast.unparse(argument.annotation or ast.Constant(None)))
    ]

    assert not taken


def test_constructors_that_only_store_have_no_docstring() -> None:
    def stores(statement: ast.stmt) -> bool:
        return isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name)

    told = [
        class_.name
        for class_ in classes("services/")
        if (init := constructor(class_))
        and ast.get_docstring(init)
        and all(stores(statement) for statement in init.body[1:])
    ]

    assert not told


def test_every_part_that_is_wired_is_built_once() -> None:
    source = "\n".join(file.read_text("utf-8") for file in files(SHARED / "wiring", "*.py"))
    twice = [name for name in injected() if len(re.findall(rf"\b{name}\(", source)) > 1]

    assert not twice
