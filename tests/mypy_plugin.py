"""Tells mypy which arguments `Model.copy_with` takes: the model's fields, each with its type."""

from collections.abc import Callable

from mypy.nodes import ARG_NAMED_OPT
from mypy.plugin import MethodSigContext, Plugin
from mypy.types import FunctionLike, Instance, get_proper_type

_METHOD = ".copy_with"
_MODEL = "shared.domain.model.Model"
_METADATA = "pydantic-mypy-metadata"
"""Under which pydantic's own plugin keeps the fields of a model."""


class ModelPlugin(Plugin):
    """Types the calls of `copy_with`."""

    def get_method_signature_hook(
        self, fullname: str
    ) -> Callable[[MethodSigContext], FunctionLike] | None:
        """Return what types a call of the method, which mypy names by the class of its object."""
        return _signature if fullname.endswith(_METHOD) else None


def _signature(context: MethodSigContext) -> FunctionLike:
    """Return the signature for the model of this call: every field by name, all optional."""
    model = get_proper_type(context.type)
    if not isinstance(model, Instance) or not model.type.has_base(_MODEL):
        return context.default_signature
    types = {}
    for name in model.type.metadata.get(_METADATA, {}).get("fields", {}):
        symbol = model.type.get(name)
        if symbol is not None and symbol.type is not None:
            types[name] = symbol.type
    return context.default_signature.copy_modified(
        arg_types=list(types.values()),
        arg_kinds=[ARG_NAMED_OPT] * len(types),
        arg_names=list(types),
    )


def plugin(_version: str) -> type[Plugin]:
    """Return the plugin, as mypy asks for it."""
    return ModelPlugin
