"""The rows of a form: what each field is called, where its value stands in the JSON, and its kind.

A kind converts a value of the JSON to the text that a browser shows and sends, and back. It knows
neither pages nor languages. Labels and helps are texts to translate, marked by `N_`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

from shared.domain.texts import N_
from shared.portal.visits import Visit

type Text = str | tuple[str, ...]
"""What a field holds: one text, or several (boxes that are ticked, ids that are chosen)."""

type Words = str | Callable[[Visit], str]
"""A text to translate, or what makes it for a reader."""

type Option = tuple[str, Words] | tuple[str, Words, Words]
"""A choice: its value, what it is called, and a hint."""


class _Absent:
    """The value of a field that the JSON leaves out."""


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldKind:
    """How a field is shown (`widget`), and what its text means in JSON.

    `refusal` replaces what the model says of a value that it refuses.
    """

    widget: ClassVar[str] = "hidden"
    many: ClassVar[bool] = False
    refusal: ClassVar[str] = ""

    def text(self, value: Any) -> Text:
        """The text of a value; null is nothing."""
        return "" if value is None else str(value)

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """The value of a text, given the texts of all fields; what is none stays as it is."""
        del texts
        return text

    def read(self, sent: Any, name: str) -> Text | None:
        """What a form brought; None if its page does not have the field."""
        given = sent.get(name)
        return None if given is None else str(given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(FieldKind):
    """A line of text; `empty` is what it means if it holds nothing."""

    widget: ClassVar[str] = "line"
    empty: Any = ""

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """The text itself."""
        del texts
        return text if text.strip() else self.empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines(FieldKind):
    """Several texts, one a line; the JSON leaves them out where there is none."""

    widget: ClassVar[str] = "area"

    def text(self, value: Any) -> Text:
        """Each on a line of its own."""
        return "\n".join(value or ())

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """The lines that hold anything."""
        del texts
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return [line.strip() for line in lines if line.strip()] or ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(FieldKind):
    """A whole number."""

    widget: ClassVar[str] = "number"

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """The number; what is none stays a text, which the model refuses."""
        del texts
        return whole(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Percent(FieldKind):
    """A part of one, typed as a percentage."""

    widget: ClassVar[str] = "percent"
    refusal: ClassVar[str] = N_("must be a number between 0 and 100")

    def text(self, value: Any) -> Text:
        """The percentage, without zeros at its end."""
        return "" if value is None else f"{(Decimal(str(value)) * 100).normalize():f}"

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """The part of one; what is no number stays a text, which the model refuses."""
        del texts
        given = text.strip().removesuffix("%").strip().replace(",", ".")
        try:
            return float(Decimal(given) / 100)
        except (ArithmeticError, ValueError):
            return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(FieldKind):
    """One of some values, as a list; an empty choice is null.

    Those that are numbers in the JSON are `whole`.
    """

    widget: ClassVar[str] = "select"
    whole: bool = False

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """The value that is chosen."""
        del texts
        return (whole(text) if self.whole else text) if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Radios(Choice):
    """One of some values, all of them in sight."""

    widget: ClassVar[str] = "radios"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence(Radios):
    """Whether a value is `given`, by another field of the same path, or null."""

    given: str
    null: str

    def text(self, value: Any) -> Text:
        """Which of the two it is."""
        return self.null if value is None else self.given

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Null, or what the other field says."""
        del texts
        return None if text == self.null else ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag(FieldKind):
    """A box to tick; one that is `inverted` is ticked for false."""

    widget: ClassVar[str] = "check"
    inverted: bool = False

    def text(self, value: Any) -> Text:
        """Whether it is ticked."""
        return "yes" if bool(value) is not self.inverted else ""

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Whether it is true."""
        del texts
        return bool(text) is not self.inverted

    def read(self, sent: Any, name: str) -> Text | None:
        """Browsers send no box that is not ticked."""
        return str(sent.get(name, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids(FieldKind):
    """Several ids, each in a hidden field; what shows and changes them is the page's own."""

    many: ClassVar[bool] = True

    def text(self, value: Any) -> Text:
        """The ids."""
        return tuple(str(each) for each in value or ())

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """The ids, each once."""
        del texts
        return list(dict.fromkeys(text))

    def read(self, sent: Any, name: str) -> Text | None:
        """All that were sent, each once."""
        return tuple(dict.fromkeys(str(each) for each in sent.getlist(name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticks(Ids):
    """Several of some values, each with a box to tick."""

    widget: ClassVar[str] = "checks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment(FieldKind):
    """A moment as it is stored, in a hidden field."""

    def text(self, value: Any) -> Text:
        """The moment in UTC."""
        return _moment(value).isoformat() if value else ""

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """The moment, or null."""
        del texts
        return text or None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDay(FieldKind):
    """The day with whose end something ends, in UTC.

    The field `stored` holds the stored moment: a day that nobody changed ends as it did.
    """

    widget: ClassVar[str] = "day"
    stored: str

    def text(self, value: Any) -> Text:
        """The day of the stored moment."""
        return _moment(value).date().isoformat() if value else ""

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """The stored moment, the end of another day, or null."""
        if not text:
            return None
        stored = str(texts.get(self.stored, ""))
        return stored if stored.startswith(f"{text}T") else f"{text}T23:59:59Z"


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form: `name` in the browser, `path` in the JSON ('' for what only the form has).

    `group` is the part of the page that shows it, `beside` puts it next to the field before. Away
    from its place, as in the list of errors, it is `called` something else than its label. A number
    that is none of the `choices` is called as `other` says. Limits and lengths come from the model;
    `attributes` are further ones of the input.

    The field counts `only_if` another field has a value. A null, at `null_at` or at its own path,
    is shown as nothing, or as `unset`; an empty text makes the JSON null at `null_at`. Errors stand
    at the element `shown_at`, which is the field itself by default.
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
        """The id of the element beside which its errors stand."""
        return self.shown_at or self.name

    def counts(self, texts: Mapping[str, Text]) -> bool:
        """Whether the field says anything, as the others stand."""
        return self.only_if is None or texts.get(self.only_if[0]) == self.only_if[1]


def whole(text: str) -> int | str:
    """A whole number; a text that is none stays as it is."""
    given = text.strip()
    digits = given.removeprefix("-")
    return int(given) if digits.isascii() and digits.isdigit() and len(digits) < 10 else given


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(str(value)).astimezone(UTC)
