"""A form as a table of fields: filled from a model or from a browser, and turned into input.

It reads all forms and maps all error paths. `showing` prepares a form for its page, `submitting`
saves it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, Final, Self

from pydantic import BaseModel

from shared.portal.forms.fields import ABSENT, FormField, Text
from shared.web.validation import validated

TYPED: Final = "typed"
"""The path prefix of the errors of an inner form."""


class Form[M: BaseModel]:
    """The fields of a form for a `model`.

    `elsewhere` has the paths of the model that the form does not set, each with the reason.
    """

    def __init__(
        self, model: type[M], rows: Sequence[FormField], elsewhere: Mapping[str, str] | None = None
    ) -> None:
        self.model = model
        self.rows: Final = tuple(rows)
        self.elsewhere: Final = dict(elsewhere or {})

    @cached_property
    def by_name(self) -> dict[str, FormField]:
        """The rows by field name."""
        return {row.name: row for row in self.rows}

    @cached_property
    def defaults(self) -> dict[str, Text]:
        """The default text of each field, from the model."""
        return self._texts(_defaults(self.model))

    def blank(self, **texts: Text) -> "Draft[M]":
        """Return the form of a new object, with some fields filled in."""
        return Draft(self, {**self.defaults, **texts})

    def of(self, value: M, etag: str = "") -> "Draft[M]":
        """Return the form of a stored object."""
        return self.of_json(value.model_dump(mode="json", by_alias=True), etag)

    def of_json(self, body: Mapping[str, Any], etag: str = "") -> "Draft[M]":
        """Return the form of a JSON object."""
        return Draft(self, self._texts(body), etag)

    def read(self, sent: Any) -> "Draft[M]":
        """Read a sent form; fields that the page does not have get their defaults."""
        texts = {}
        for row in self.rows:
            text = row.kind.read(sent, row.name)
            texts[row.name] = self.defaults[row.name] if text is None else text
        return Draft(self, texts, str(sent.get("etag", "")), str(sent.get("key", "")))

    def field_at(self, path: str, texts: Mapping[str, Text]) -> FormField | None:
        """Return the field of a JSON path; None for the whole form.

        It is the field with the longest matching path; of several, the last that counts. The path
        of an object means the first field in it.
        """
        parts = path.split(".")
        for length in range(len(parts), 0, -1):
            start = ".".join(parts[:length])
            if found := [r for r in self.rows if r.path == start and r.counts(texts)]:
                return found[-1]
        return next((row for row in self.rows if row.path.startswith(f"{path}.")), None)

    def json(self, texts: Mapping[str, Text]) -> dict[str, Any]:
        """Return the JSON of some texts."""
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
    """A form as it is filled in: the texts of its fields.

    `etag` is the version that it changes, `key` is the Idempotency-Key of its page.
    """

    form: Form[M]
    texts: Mapping[str, Text] = field(repr=False)
    etag: str = ""
    key: str = ""

    def text(self, name: str) -> str:
        """Return the text of a field."""
        return str(self.texts[name])

    def many(self, name: str) -> tuple[str, ...]:
        """Return the texts of a field with several."""
        found = self.texts[name]
        return found if isinstance(found, tuple) else (found,)

    def typed(self, **texts: Text) -> Self:
        """Return the form with other texts in some fields."""
        return replace(self, texts={**self.texts, **texts})

    def json(self) -> dict[str, Any]:
        """Return the form as JSON, not yet validated."""
        return self.form.json(self.texts)

    def input(self) -> M:
        """Return the validated input. Raises `InvalidInput` with each invalid field."""
        return validated(self.form.model, self.json())

    def query(self) -> dict[str, str]:
        """Return the texts of all fields that are not blank, for a query."""
        return {row.name: text for row in self.form.rows if (text := self.text(row.name))}

    def hidden(self, *groups: str) -> list[tuple[str, str]]:
        """Return the names and texts of all fields outside these groups, for hidden fields."""
        rows = [row for row in self.form.rows if row.group not in groups]
        return [(row.name, text) for row in rows for text in self.many(row.name)]


def look_up(body: Any, path: str) -> Any:
    """Return the value at a path; None if there is none."""
    for part in path.split("."):
        if isinstance(body, Mapping):
            body = body.get(part)
        elif isinstance(body, Sequence) and not isinstance(body, str) and part.isdigit():
            body = body[int(part)] if int(part) < len(body) else None
        else:
            return None
    return body


def _put(body: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a path; a number in the path is a position in a list."""
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
    """Return the defaults of a model as JSON, without fields that have none."""
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
    """Yield the paths of all settable fields of a model, including nested ones."""
    schema = _schema(model)
    yield from _leaves(schema, schema, "")


def limits(model: type[BaseModel], path: str) -> dict[str, Any]:
    """Return the JSON Schema of a path; empty if it is a choice of several."""
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
    """Return a part of the schema without references and without the choice of null."""
    while True:
        if "$ref" in at:
            at = schema["$defs"][at["$ref"].rpartition("/")[2]]
        elif others := [each for each in at.get("anyOf", ()) if each.get("type") != "null"]:
            at = others[0]
        else:
            return at
