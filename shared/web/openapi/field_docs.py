"""The docstrings of fields and of values, which the document shows as their descriptions.

A field of a model, and a value of an enumeration, is described by the text below it. pydantic would
read these texts whenever a model is imported (`use_attribute_docstrings`), which would slow down
every cold start; we read them when the document is built.
"""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from itertools import pairwise
from types import ModuleType

from pydantic import BaseModel


def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """Return the description of each field by its JSON name, also of those that it inherits."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, BaseModel) and kind is not BaseModel:
            found |= _of_class(kind)
    return {
        field.serialization_alias or field.alias or name: found[name]
        for name, field in model.model_fields.items()
        if name in found
    }


def value_docs(kind: type[Enum]) -> dict[str, str]:
    """Return the description of each value of an enumeration that has one."""
    found = _of_class(kind)
    return {
        str(each.value): found[name] for name, each in kind.__members__.items() if name in found
    }


def _of_class(kind: type) -> Mapping[str, str]:
    name = kind.__qualname__.partition("[")[0]  # ItemPage[ShareView] is documented as ItemPage
    return _of_module(sys.modules[kind.__module__]).get(name, {})


@cache
def _of_module(module: ModuleType) -> Mapping[str, Mapping[str, str]]:
    """Return the field docstrings of all classes of a module."""
    tree = ast.parse(inspect.getsource(module))
    return {
        node.name: dict(_of_body(node.body)) for node in tree.body if isinstance(node, ast.ClassDef)
    }


def _of_body(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, inspect.cleandoc(text)
