"""What a page shows of a form: its fields in the reader's language, with values and errors.

The macros of `form.html` render it; a page says only which group of fields stands where.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import BaseModel

from shared.domain.errors import CallerError
from shared.portal import rendering
from shared.portal.forms.fields import FormField, Text, Words
from shared.portal.forms.tables import TYPED, Draft, limits
from shared.portal.visits import Visit
from shared.wiring.app import new_id


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a form was not saved: what is wrong by JSON path ('' for all of it), for the reader.

    `stored` is what somebody else has stored meanwhile, `note` what the reader is told of it.
    """

    wrong: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    stored: BaseModel | None = None

    @classmethod
    def of(cls, visit: Visit, error: CallerError | None) -> Self:
        """What an error says."""
        return cls(visit.wrong(error))

    @property
    def status(self) -> int:
        """The HTTP status of the page that shows the form again."""
        return 422 if self.wrong or self.note else 200

    def within(self, path: str) -> Self:
        """What it says of a form within the form."""
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
        """The value in words."""
        called = {option[0]: option[1] for option in self.options}
        texts = self.text if isinstance(self.text, tuple) else self.text.splitlines()
        return ", ".join(called.get(text, text) for text in texts)


@dataclass(frozen=True, slots=True)
class ShownForm:
    """A form as pages show it; `theirs` is what somebody else has stored, by label.

    `changed` names the fields that are not as by default, `idle` those that do not count.
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
        """The field of this name."""
        return self.fields[name]

    def lines(self, group: str) -> list[list[ShownField]]:
        """The fields of a group; those of one line together."""
        lines: list[list[ShownField]] = []
        for each in self._in(group):
            if each.row.beside and lines:
                lines[-1].append(each)
            else:
                lines.append([each])
        return lines

    def wrong_in(self, *groups: str) -> bool:
        """Whether a field of these groups has an error."""
        return any(each.error for each in self._in(*groups))

    def used(self, *groups: str) -> bool:
        """Whether a field of these groups has an error, or another value than by default."""
        return any(each.error or each.row.name in self.changed for each in self._in(*groups))

    def facts(self, group: str) -> list[tuple[str, str]]:
        """What the fields of a group say, by their labels."""
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
) -> ShownForm:
    """A form as it stands, in the reader's language; a new Idempotency-Key is drawn for it.

    `helps` replace those of some fields.
    """
    refusal = refusal or Refusal()
    errors = _errors(visit, draft, refusal)
    fields = {
        row.name: _field(visit, draft, row, errors.get(row.anchor, ""), helps or {})
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
    """What is wrong, by the ids of the elements where it is shown; '' for all of the form."""
    errors: dict[str, str] = {}
    for path, text in refusal.wrong.items():
        if path.startswith(f"{TYPED}."):
            continue
        row = draft.form.field_at(path, draft.texts) if path else None
        said = visit.gettext(row.kind.refusal) if row and row.kind.refusal else text
        errors.setdefault(row.anchor if row else "", said)
    return errors


def _field(
    visit: Visit, draft: Draft[Any], row: FormField, error: str, helps: Mapping[str, str]
) -> ShownField:
    text = draft.texts[row.name]
    choices = row.choices(visit) if callable(row.choices) else row.choices
    options: list[tuple[str, ...]] = [
        (c[0], *(words(visit, each) for each in c[1:])) for c in choices
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
    """The attributes by which a browser keeps to what the model takes."""
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
    """What is stored now where it differs from what is typed, by label; ids are counted."""
    if stored is None:
        return []
    told: list[tuple[str, str]] = []
    other = draft.form.of(stored)
    number = rendering.number(visit.language)
    for row in draft.form.rows:
        label = words(visit, row.called or row.label)
        if not label or other.texts[row.name] == draft.texts[row.name]:
            continue
        shown = _field(visit, other, row, "", {})
        plain = isinstance(shown.text, tuple) and not shown.options
        told.append((label, number(len(shown.text)) if plain else shown.said or "-"))
    return told


def words(visit: Visit, text: Words) -> str:
    """A text of a table in the reader's language."""
    if callable(text):
        return text(visit)
    return visit.gettext(text) if text else ""
