"""The base of all models that the API shows and the tables store, and their common field types.

An `…Input` model holds what a caller may set; the class derived from it adds what the service
records. Unknown fields, wrong types and lists that are too long are rejected with the field's name.
JSON names are camelCase; times are UTC. Ids fit in a table key and a URL.
"""

import re
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from shared.domain.error_codes import Code
from shared.domain.errors import Value

MAX_IDS: Final = 5_000
MAX_GROUPS: Final = 200
MAX_NAME: Final = 200

_DIRECTIONS: Final = r"\u202a-\u202e\u2066-\u2069"
"""Characters that turn the direction of the text after them, also of a page's own words."""
_IN_A_LINE: Final = rf"\x00-\x1f\x7f-\x9f{_DIRECTIONS}"
_IN_LINES: Final = rf"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_DIRECTIONS}"
_AROUND: Final = " \t\r\n"
_BLANK: Final = r"[ \t\r\n]*"


def _without(refused: str) -> BeforeValidator:
    """Return the check that a typed text has none of these characters, besides around it."""
    found = re.compile(f"[{refused}]")

    def check(value: object) -> object:
        if isinstance(value, str) and found.search(value.strip(_AROUND)):
            raise wrong("text_has_controls")
        return value

    return BeforeValidator(check)


_LINE: Final = _without(_IN_A_LINE)
_LINE_PATTERN: Final = rf"^{_BLANK}[^{_IN_A_LINE}]*[^\s{_IN_A_LINE}][^{_IN_A_LINE}]*{_BLANK}$"
_LINE_SCHEMA: Final = Field(json_schema_extra={"pattern": _LINE_PATTERN})
_LINES: Final = _without(_IN_LINES)
_LINES_SCHEMA: Final = Field(json_schema_extra={"pattern": rf"^[^{_IN_LINES}]*$"})

GUID: Final = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"

type ObjectId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$")]
type ShareId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{8,64}$")]
type RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
type Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME),
    _LINE,
    _LINE_SCHEMA,
]
type ShortName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
    _LINE,
    _LINE_SCHEMA,
]
type NamePart = Annotated[str, StringConstraints(min_length=1, max_length=64), _LINE, _LINE_SCHEMA]
"""A text to search for in names; it fits into a query beside a token."""
type Color = Annotated[str, StringConstraints(pattern=r"^preset([0-9]|1[0-9]|2[0-4])$")]


def wrong(code: Code, **values: Value) -> PydanticCustomError:
    """Return the error that a model's validator raises, with code and values for `validated`."""
    return PydanticCustomError(code, code, dict(values))


def _iso(value: object) -> object:
    """Reject a number, even as text, which pydantic would read as seconds since 1970."""
    if not isinstance(value, datetime) and "T" not in str(value):
        raise wrong("not_a_moment")
    return value


def _object_id(value: str) -> str:
    """Reject what is not a GUID: Graph refuses a whole request for one such id."""
    if not re.fullmatch(GUID, value):
        raise wrong("object_id_invalid", id=value[:100])
    return value


type DirectoryId = Annotated[
    str, AfterValidator(_object_id), Field(json_schema_extra={"pattern": GUID, "format": "uuid"})
]
"""The object id of a user, group or organizational contact in Entra ID."""


def _tenant_id(value: str) -> str:
    """Return a tenant id in lower case, as in Entra ID's tokens; reject what can never match."""
    if not re.fullmatch(GUID, value):
        raise wrong("tenant_id_invalid", id=value[:100])
    return value.lower()


type TenantId = Annotated[
    str, AfterValidator(_tenant_id), Field(json_schema_extra={"pattern": GUID, "format": "uuid"})
]
"""The id of a tenant in Entra ID, in any case. A domain is refused: it would match nobody."""

type Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_iso)]
type Text = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=500), _LINES, _LINES_SCHEMA
]
"""A typed text, which may have several lines, as an address has."""


UNCHANGED_BY_NULL: Final = "unchanged by null"
"""Marks a field whose default is null, and that a patch with null leaves as it is: it protects
people, and many clients send null for what they did not set. An explicit value resets it."""

NEVER_GROWS: Final[JsonDict] = {"x-closed": True}
"""Marks a field whose choices are all that there will ever be, so that clients may rely on it."""


class Model(BaseModel):
    """The base of all models: strict, immutable, with camelCase JSON names."""

    model_config = ConfigDict(
        hide_input_in_errors=True,  # errors are logged, and the input may be personal data
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        strict=True,
        # Build each at first use: building all would take a third of function_app's import time.
        defer_build=True,
    )

    def copy_with(self, **values: Any) -> Self:
        """Return a copy with other values in these fields; the only way to change a model.

        Raises `TypeError` for an unknown field or a value that its field does not accept; mypy
        checks both as well (tests/mypy_plugin.py). Rules between fields are not checked.
        """
        kind = type(self)
        checked = {}
        for name, value in values.items():
            try:
                checked[name] = _field_type(kind, name).validate_python(value, strict=True)
            except ValidationError as error:
                # `from None`, because the cause may quote the value, which may be personal data.
                problem = error.errors(include_input=False, include_url=False)[0]["msg"]
                raise TypeError(f"{kind.__name__}.{name}: {problem}") from None
        return self.model_copy(update=checked)

    def values_of(self, kind: type["Model"]) -> dict[str, Any]:
        """Return the values of the fields of `kind`, one of the base classes."""
        return {name: getattr(self, name) for name in kind.model_fields}


@cache
def _field_type(kind: type[Model], name: str) -> TypeAdapter[Any]:
    """Return the validator of one field, built when the field first changes."""
    field = kind.model_fields.get(name)
    if field is None:
        raise TypeError(f"{kind.__name__} has no field {name!r}.")
    annotation: Any = field.annotation
    return TypeAdapter(Annotated[annotation, *field.metadata] if field.metadata else annotation)
