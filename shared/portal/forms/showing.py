"""The form as a page shows it: fields in the caller's language, with values and errors.

The macros of `form.html` render it; a page only places the groups of fields.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import BaseModel

from shared.domain.errors import CallerError
from shared.domain.model import MAX_NAME
from shared.portal import rendering
from shared.portal.forms.fields import FormField, Text, Words
from shared.portal.forms.tables import TYPED, Draft, limits
from shared.portal.visits import Visit
from shared.wiring.app import new_id


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a form was not saved: the errors by JSON path ('' for the whole form), translated.

    `stored` is what someone else has stored in the meantime, `note` is the text about it.
    """

    wrong: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    stored: BaseModel | None = None

    @classmethod
    def of(cls, visit: Visit, error: CallerError | None) -> Self:
        """Return the refusal of an error."""
        return cls(visit.wrong(error))

    @property
    def status(self) -> int:
        """The HTTP status of the page that shows the form again."""
        return 422 if self.wrong or self.note else 200

    def within(self, path: str) -> Self:
        """Return the refusal of an inner form."""
        start = f"{path}."
        return type(self)(
            {p.removeprefix(start): text for p, text in self.wrong.items() if p.startswith(start)}
        )


@dataclass(frozen=True, slots=True)
class ShownField:
    """A field as the macros render it; `options` are value, text and hint."""

    row: FormField
    label: str
    help: str
    text: Text
    error: str
    options: Sequence[tuple[str, ...]]
    attributes: Mapping[str, Any]

    @property
    def said(self) -> str:
        """The value as text."""
        called = {option[0]: option[1] for option in self.options}
        texts = self.text if isinstance(self.text, tuple) else self.text.splitlines()
        return ", ".join(called.get(text, text) for text in texts)


@dataclass(frozen=True, slots=True)
class ShownForm:
    """A form as pages show it; `theirs` is what someone else has stored, by label.

    `changed` has the fields that differ from the default, `idle` those that do not count.
    """

    fields: Mapping[str, ShownField]
    errors: Mapping[str, str]
    labels: Mapping[str, str]
    changed: frozenset[str]
    idle: frozenset[str]
    etag: str
    key: str
    note: str
    theirs: Sequence[tuple[str, str]]

    def __getitem__(self, name: str) -> ShownField:
        """Return the field with this name."""
        return self.fields[name]

    def lines(self, group: str) -> list[list[ShownField]]:
        """Return the fields of a group, line by line."""
        lines: list[list[ShownField]] = []
        for each in self._in(group):
            if each.row.beside and lines:
                lines[-1].append(each)
            else:
                lines.append([each])
        return lines

    def wrong_in(self, *groups: str) -> bool:
        """Return whether a field of these groups has an error."""
        return any(each.error for each in self._in(*groups))

    def used(self, *groups: str) -> bool:
        """Return whether a field of these groups has an error or differs from the default."""
        return any(each.error or each.row.name in self.changed for each in self._in(*groups))

    def facts(self, group: str) -> list[tuple[str, str]]:
        """Return the values of a group as text, by label."""
        fields = [each for each in self._in(group) if each.row.name not in self.idle]
        return [(each.label, each.said) for each in fields if each.said]

    def _in(self, *groups: str) -> Iterator[ShownField]:
        return (each for each in self.fields.values() if each.row.group in groups)


def show(
    visit: Visit,
    draft: Draft[Any],
    refusal: Refusal | None = None,
    *,
    helps: Mapping[str, str] | None = None,
    choices: Mapping[str, Sequence[tuple[str, ...]]] | None = None,
) -> ShownForm:
    """Return a form in the caller's language, with a new Idempotency-Key.

    `helps` replaces the hints of some fields, `choices` adds to theirs.
    """
    refusal = refusal or Refusal()
    errors = _errors(visit, draft, refusal)
    fields = {
        row.name: _field(visit, draft, row, errors.get(row.anchor, ""), helps or {}, choices or {})
        for row in draft.form.rows
    }
    labels = {row.anchor: words(visit, row.called or row.label) for row in draft.form.rows}
    return ShownForm(
        fields,
        errors,
        {anchor: label for anchor, label in labels.items() if anchor in draft.form.by_name},
        frozenset(n for n, text in draft.texts.items() if text != draft.form.defaults.get(n)),
        frozenset(row.name for row in draft.form.rows if not row.counts(draft.texts)),
        draft.etag,
        new_id(),
        refusal.note,
        _theirs(visit, draft, refusal.stored),
    )


def _errors(visit: Visit, draft: Draft[Any], refusal: Refusal) -> dict[str, str]:
    """Return the errors by the id of the element that shows them; '' for the whole form."""
    errors: dict[str, str] = {}
    for path, text in refusal.wrong.items():
        if path.startswith(f"{TYPED}."):
            continue
        row = draft.form.field_at(path, draft.texts) if path else None
        said = visit.gettext(row.kind.refusal) if row and row.kind.refusal else text
        errors.setdefault(row.anchor if row else "", said)
    return errors


def _field(
    visit: Visit,
    draft: Draft[Any],
    row: FormField,
    error: str,
    helps: Mapping[str, str],
    more: Mapping[str, Sequence[tuple[str, ...]]],
) -> ShownField:
    text = draft.texts[row.name]
    choices = row.choices(visit) if callable(row.choices) else row.choices
    options: list[tuple[str, ...]] = [
        *((c[0], *(words(visit, each) for each in c[1:])) for c in choices),
        *more.get(row.name, ()),
    ]
    if row.kind.widget == "select" and text not in {option[0] for option in options}:
        other = str(text)
        known = row.other is not None and other.isascii() and other.isdigit()
        options.append((other, row.other(visit, int(other)) if row.other and known else other))
    return ShownField(
        row,
        words(visit, row.label),
        helps.get(row.name) or words(visit, row.help),
        text,
        error,
        options,
        {**_limits(draft, row), **row.attributes},
    )


def _limits(draft: Draft[Any], row: FormField) -> dict[str, Any]:
    """Return the attributes with which a browser applies the model's limits."""
    if row.kind.widget not in {"line", "number", "percent"} or not row.path:
        return {}
    known = limits(draft.form.model, row.path)
    if row.kind.widget == "line":
        return {"maxlength": known["maxLength"]} if "maxLength" in known else {}
    attributes: dict[str, Any] = {"inputmode": "numeric"}
    times = 1
    if row.kind.widget == "percent":
        times, attributes = 100, {"step": "any", "inputmode": "decimal"}
    for name, bound in (("min", "minimum"), ("max", "maximum")):
        if bound in known:
            attributes[name] = known[bound] * times
    return attributes


def _theirs(visit: Visit, draft: Draft[Any], stored: BaseModel | None) -> list[tuple[str, str]]:
    """Return the stored values that differ from the typed ones, by label; ids are counted."""
    if stored is None:
        return []
    told: list[tuple[str, str]] = []
    other = draft.form.of(stored)
    number = rendering.number(visit.language)
    for row in draft.form.rows:
        label = words(visit, row.called or row.label)
        if not label or other.texts[row.name] == draft.texts[row.name]:
            continue
        shown = _field(visit, other, row, "", {}, {})
        plain = isinstance(shown.text, tuple) and not shown.options
        told.append((label, number(len(shown.text)) if plain else shown.said or "-"))
    return told


def copied_name(visit: Visit, name: str) -> str:
    """Return the name of a copy, cut to the length that a name may have."""
    return (visit.gettext("Copy of %(name)s") % {"name": name})[:MAX_NAME].strip()


def words(visit: Visit, text: Words) -> str:
    """Translate a text of a table into the caller's language."""
    if callable(text):
        return text(visit)
    return visit.gettext(text) if text else ""
