"""The rows of a form: the label of each field, the JSON path of its value, and its kind.

A kind converts a JSON value to the text that a browser shows and sends, and back. It knows neither
pages nor languages. Labels and hints are texts to translate, marked with `N_`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

from shared.domain.texts import N_
from shared.portal.visits import Visit

type Text = str | tuple[str, ...]
"""The content of a field: one text, or several (ticked boxes, selected ids)."""

type Words = str | Callable[[Visit], str]
"""A text to translate, or a function that makes it for a caller."""

type Option = tuple[str, Words] | tuple[str, Words, Words]
"""A choice: its value, its label, and a hint."""


class _Absent:
    """The value of a field that the JSON leaves out."""


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldKind:
    """How a field is shown (`widget`), and what its text means in JSON.

    `refusal` replaces the model's error text.
    """

    widget: ClassVar[str] = "hidden"
    many: ClassVar[bool] = False
    refusal: ClassVar[str] = ""

    def text(self, value: Any) -> Text:
        """Return the text of a value; null becomes an empty text."""
        return "" if value is None else str(value)

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return the JSON value of a text, given the texts of all fields."""
        del texts
        return text

    def read(self, sent: Any, name: str) -> Text | None:
        """Return the sent text; None if the page does not have the field."""
        given = sent.get(name)
        return None if given is None else str(given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(FieldKind):
    """A line of text; `empty` is its value if it is blank."""

    widget: ClassVar[str] = "line"
    empty: Any = ""

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return the text itself, or `empty`."""
        del texts
        return text if text.strip() else self.empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines(FieldKind):
    """Several texts, one per line; the JSON omits them if there are none."""

    widget: ClassVar[str] = "area"

    def text(self, value: Any) -> Text:
        """Return the texts, one per line."""
        return "\n".join(value or ())

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return the lines that are not blank."""
        del texts
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return [line.strip() for line in lines if line.strip()] or ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(FieldKind):
    """A whole number."""

    widget: ClassVar[str] = "number"

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return the number; another text stays a text, which the model rejects."""
        del texts
        return whole(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Percent(FieldKind):
    """A fraction, typed as a percentage."""

    widget: ClassVar[str] = "percent"
    refusal: ClassVar[str] = N_("must be a number between 0 and 100")

    def text(self, value: Any) -> Text:
        """Return the percentage without trailing zeros."""
        return "" if value is None else f"{(Decimal(str(value)) * 100).normalize():f}"

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return the fraction; another text stays a text, which the model rejects."""
        del texts
        given = text.strip().removesuffix("%").strip().replace(",", ".")
        try:
            return float(Decimal(given) / 100)
        except (ArithmeticError, ValueError):
            return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(FieldKind):
    """One of several values, as a list; an empty choice is null.

    Values that are numbers in the JSON are `whole`.
    """

    widget: ClassVar[str] = "select"
    whole: bool = False

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return the selected value."""
        del texts
        return (whole(text) if self.whole else text) if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Radios(Choice):
    """One of several values, as radio buttons."""

    widget: ClassVar[str] = "radios"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence(Radios):
    """Whether another field with the same path gives the value (`given`), or it is null."""

    given: str
    null: str

    def text(self, value: Any) -> Text:
        """Return which of the two it is."""
        return self.null if value is None else self.given

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return null, or leave the value to the other field."""
        del texts
        return None if text == self.null else ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag(FieldKind):
    """A checkbox; an `inverted` one is ticked for false."""

    widget: ClassVar[str] = "check"
    inverted: bool = False

    def text(self, value: Any) -> Text:
        """Return whether it is ticked."""
        return "yes" if bool(value) is not self.inverted else ""

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return whether it is true."""
        del texts
        return bool(text) is not self.inverted

    def read(self, sent: Any, name: str) -> Text | None:
        """Return whether it was sent; browsers do not send an unticked checkbox."""
        return str(sent.get(name, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids(FieldKind):
    """Several ids, each in a hidden field; the page itself shows and changes them."""

    many: ClassVar[bool] = True

    def text(self, value: Any) -> Text:
        """Return the ids."""
        return tuple(str(each) for each in value or ())

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return the ids without duplicates."""
        del texts
        return list(dict.fromkeys(text))

    def read(self, sent: Any, name: str) -> Text | None:
        """Return the sent ids without duplicates."""
        return tuple(dict.fromkeys(str(each) for each in sent.getlist(name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticks(Ids):
    """Several values, each with a checkbox."""

    widget: ClassVar[str] = "checks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment(FieldKind):
    """A stored time, in a hidden field."""

    def text(self, value: Any) -> Text:
        """Return the time in UTC."""
        return _moment(value).isoformat() if value else ""

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return the time, or null."""
        del texts
        return text or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day(FieldKind):
    """A day, or null."""

    widget: ClassVar[str] = "day"

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return the day as the browser sends it; the model parses it."""
        del texts
        return text or None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDay(FieldKind):
    """The last day of something, in UTC.

    The field `stored` holds the stored time, which stays if the day is unchanged.
    """

    widget: ClassVar[str] = "day"
    stored: str

    def text(self, value: Any) -> Text:
        """Return the day of the stored time."""
        return _moment(value).date().isoformat() if value else ""

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return the stored time, the end of another day, or null."""
        if not text:
            return None
        stored = str(texts.get(self.stored, ""))
        return stored if stored.startswith(f"{text}T") else f"{text}T23:59:59Z"


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form: `name` in the browser, `path` in the JSON ('' if only the form has it).

    `group` is the part of the page that shows it, `beside` puts it next to the previous field.
    `called` replaces its label elsewhere, such as in the list of errors. `other` labels a number
    that is not one of the `choices`. Limits and lengths come from the model; `attributes` are
    additional attributes of the input.

    The field counts `only_if` another field has a value. A null, at `null_at` or at its own path,
    is shown as empty, or as `unset`; an empty text makes the JSON null at `null_at`. Errors are
    shown at the element `shown_at`, by default the field itself.
    """

    name: str
    path: str = ""
    kind: FieldKind = field(default_factory=Line)
    label: Words = ""
    help: Words = ""
    _: KW_ONLY
    group: str = ""
    called: Words = ""
    choices: Sequence[Option] | Callable[[Visit], Sequence[Option]] = ()
    other: Callable[[Visit, int], str] | None = None
    only_if: tuple[str, str] | None = None
    null_at: str = ""
    unset: Any = None
    shown_at: str = ""
    beside: bool = False
    required: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def anchor(self) -> str:
        """The id of the element that shows its errors."""
        return self.shown_at or self.name

    def counts(self, texts: Mapping[str, Text]) -> bool:
        """Return whether the field counts, given the texts of the others."""
        return self.only_if is None or texts.get(self.only_if[0]) == self.only_if[1]


def whole(text: str) -> int | str:
    """Parse a whole number; another text is returned unchanged."""
    given = text.strip()
    digits = given.removeprefix("-")
    return int(given) if digits.isascii() and digits.isdigit() and len(digits) < 10 else given


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(str(value)).astimezone(UTC)
