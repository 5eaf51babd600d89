"""A form as a table of fields: read from a model or from what was typed, and made into its input.

The one reader and the one mapping of error paths for all forms. What a page shows of a form is in
`showing`, what happens when it is sent in `submitting`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, Final, Self

from pydantic import BaseModel

from shared.portal.forms.fields import ABSENT, FormField, Text
from shared.web.validation import validated

TYPED: Final = "typed"
"""The path under which the errors of a form within a form stand."""


class Form[M: BaseModel]:
    """The table of a form that makes a `model`.

    `elsewhere` names the paths of the model that the form leaves alone, each with the reason.
    """

    def __init__(
        self, model: type[M], rows: Sequence[FormField], elsewhere: Mapping[str, str] | None = None
    ) -> None:
        self.model = model
        self.rows: Final = tuple(rows)
        self.elsewhere: Final = dict(elsewhere or {})

    @cached_property
    def by_name(self) -> dict[str, FormField]:
        """The rows by the names of their fields."""
        return {row.name: row for row in self.rows}

    @cached_property
    def defaults(self) -> dict[str, Text]:
        """What each field holds by default, which is what the model says."""
        return self._texts(_defaults(self.model))

    def blank(self, **texts: Text) -> "Draft[M]":
        """The form of something new, with some fields filled in."""
        return Draft(self, {**self.defaults, **texts})

    def of(self, value: M, etag: str = "") -> "Draft[M]":
        """The form of what is stored."""
        return self.of_json(value.model_dump(mode="json", by_alias=True), etag)

    def of_json(self, body: Mapping[str, Any], etag: str = "") -> "Draft[M]":
        """The form of a value as JSON."""
        return Draft(self, self._texts(body), etag)

    def read(self, sent: Any) -> "Draft[M]":
        """What was typed; fields that the page does not have are as they are by default."""
        texts = {}
        for row in self.rows:
            text = row.kind.read(sent, row.name)
            texts[row.name] = self.defaults[row.name] if text is None else text
        return Draft(self, texts, str(sent.get("etag", "")), str(sent.get("key", "")))

    def field_at(self, path: str, texts: Mapping[str, Text]) -> FormField | None:
        """The field that a JSON path means, as the form stands; None for the whole form.

        It is the one with the longest path that leads there; of several, the last that counts. A
        path that holds fields means the first of them.
        """
        parts = path.split(".")
        for length in range(len(parts), 0, -1):
            start = ".".join(parts[:length])
            if found := [r for r in self.rows if r.path == start and r.counts(texts)]:
                return found[-1]
        return next((row for row in self.rows if row.path.startswith(f"{path}.")), None)

    def json(self, texts: Mapping[str, Text]) -> dict[str, Any]:
        """The JSON that some texts mean."""
        body: dict[str, Any] = {}
        for row in self.rows:
            if not row.path or not row.counts(texts):
                continue
            text = texts[row.name]
            if row.null_at and not text:
                _put(body, row.null_at, None)
            elif (value := row.kind.json(text, texts)) is not ABSENT:
                _put(body, row.path, value)
        return body

    def _texts(self, body: Mapping[str, Any]) -> dict[str, Text]:
        return {row.name: self._text(row, body) for row in self.rows}

    def _text(self, row: FormField, body: Mapping[str, Any]) -> Text:
        if row.null_at and look_up(body, row.null_at) is None:
            return ""
        value = look_up(body, row.path) if row.path else None
        if value is None and row.unset is not None:
            value = row.unset
        return row.kind.text(value)


@dataclass(frozen=True, slots=True)
class Draft[M: BaseModel]:
    """A form as somebody fills it in: the texts of its fields.

    `etag` is the version of what it changes, `key` the Idempotency-Key of the page that sent it.
    """

    form: Form[M]
    texts: Mapping[str, Text] = field(repr=False)
    etag: str = ""
    key: str = ""

    def text(self, name: str) -> str:
        """What a field holds."""
        return str(self.texts[name])

    def many(self, name: str) -> tuple[str, ...]:
        """What a field of several texts holds."""
        found = self.texts[name]
        return found if isinstance(found, tuple) else (found,)

    def typed(self, **texts: Text) -> Self:
        """The same with other texts in some fields."""
        return replace(self, texts={**self.texts, **texts})

    def json(self) -> dict[str, Any]:
        """The JSON that the form means; the model is yet to check it."""
        return self.form.json(self.texts)

    def input(self) -> M:
        """What the form means; `InvalidInput` names each bad field."""
        return validated(self.form.model, self.json())

    def hidden(self, *groups: str) -> list[tuple[str, str]]:
        """Names and texts of the fields that are in none of these groups, as pages carry them."""
        rows = [row for row in self.form.rows if row.group not in groups]
        return [(row.name, text) for row in rows for text in self.many(row.name)]


def look_up(body: Any, path: str) -> Any:
    """The value at a path; None if there is none."""
    for part in path.split("."):
        if isinstance(body, Mapping):
            body = body.get(part)
        elif isinstance(body, Sequence) and not isinstance(body, str) and part.isdigit():
            body = body[int(part)] if int(part) < len(body) else None
        else:
            return None
    return body


def _put(body: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a path; a part that is a number is a place in a list."""
    at: Any = body
    parts = path.split(".")
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        inner: Any = value if not following else [] if following.isdigit() else {}
        if isinstance(at, list):
            at.append(inner)
            at = at[-1]
        elif not following:
            at[part] = value
        else:
            if at.get(part) is None:
                at[part] = inner
            at = at[part]


def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON of a model's defaults; what has none is left out."""
    return _blank(model).model_dump(mode="json", by_alias=True, warnings=False)


def _blank(model: type[BaseModel]) -> BaseModel:
    inner: dict[str, Any] = {
        name: _blank(each.annotation)
        for name, each in model.model_fields.items()
        if each.is_required()
        and isinstance(each.annotation, type)
        and issubclass(each.annotation, BaseModel)
    }
    return model.model_construct(**inner)


def settable(model: type[BaseModel]) -> Iterable[str]:
    """The paths of all that one can set of a model, objects opened."""
    schema = _schema(model)
    yield from _leaves(schema, schema, "")


def limits(model: type[BaseModel], path: str) -> dict[str, Any]:
    """What the model's JSON Schema says of a path; nothing if it is not that simple."""
    schema = _schema(model)
    at: dict[str, Any] = schema
    for part in path.split("."):
        at = _resolved(schema, at)
        at = at.get("items", {}) if part.isdigit() else at.get("properties", {}).get(part, {})
    return _resolved(schema, at)


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


def _leaves(schema: dict[str, Any], at: dict[str, Any], path: str) -> Iterable[str]:
    properties = _resolved(schema, at).get("properties")
    if not properties:
        yield path
        return
    for name, inner in properties.items():
        yield from _leaves(schema, inner, f"{path}.{name}" if path else name)


def _resolved(schema: dict[str, Any], at: dict[str, Any]) -> dict[str, Any]:
    """A part of the schema without references; of a choice with null, the other one."""
    while True:
        if "$ref" in at:
            at = schema["$defs"][at["$ref"].rpartition("/")[2]]
        elif others := [each for each in at.get("anyOf", ()) if each.get("type") != "null"]:
            at = others[0]
        else:
            return at
