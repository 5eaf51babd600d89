"""The languages of the portal: which one a browser wants, and what a text is in it.

Texts are written in English where they are used; `locales/<language>` holds them in another
language: `make messages` extracts them into a catalogue, and compiles what is translated there.
Errors come from services as English sentences, some with values in them: those are found in
`errors.po` by a msgid whose `%(…)s` stand for any text; in English, too, where pydantic's words are
for programmers.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from shared.domain.spreadsheet import Delimiter

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog
    from babel.support import NullTranslations


@dataclass(frozen=True, slots=True)
class Language:
    """A language by its own name; `locale` says how it writes dates and numbers (Unicode CLDR).

    `delimiter` is what spreadsheet programs of those who speak it expect between two cells.
    """

    name: str
    locale: str
    delimiter: Delimiter


LANGUAGES: Final = {
    "en": Language("English", "en_GB", ","),
    "de": Language("Deutsch", "de_DE", ";"),
}
"""The languages by their codes; the first is the one in which all texts are written."""

_LOCALES: Final = Path(__file__).parent / "locales"
_PLACE: Final = re.compile(r"%\\\((\w+)\\\)s")
_NUMBERS: Final = ("n", "m", "most")
"""The places of a sentence's msgid that hold numbers, not words or ids."""


def preferred(accept_language: str) -> str:
    """The language of ours that a browser prefers (RFC 9110, Accept-Language)."""
    wanted = parse_accept_header(accept_language[:1000], LanguageAccept)
    return str(wanted.best_match(LANGUAGES) or next(iter(LANGUAGES)))


@cache
def translations(language: str) -> "NullTranslations":
    """The translations into a language; texts that have none stay as they are."""
    from babel.support import Translations  # noqa: PLC0415 - at the first page

    return Translations.load(_LOCALES, [language])


def gettext(language: str) -> Callable[[str], str]:
    """What translates a text into a language."""
    return translations(language).gettext


def ngettext(language: str) -> Callable[[str, str, int], str]:
    """What translates a text with a number into a language, and writes its `%(num)s` as it does.

    Here, so that no page has to think of it.
    """
    from shared.portal.formats import filters  # noqa: PLC0415 - at the first page, with Babel

    found, number = translations(language).ngettext, filters(language)["number"]

    def translate(one: str, many: str, num: int) -> str:
        return found(one, many, num).replace("%(num)s", number(num))

    return translate


def message(language: str) -> Callable[[str], str]:
    """What translates a sentence that a service wrote, whatever values stand in it."""
    from shared.portal.formats import filters  # noqa: PLC0415 - at the first page, with Babel

    number = filters(language)["number"]

    def value(name: str, text: str) -> str:
        return number(int(text)) if name in _NUMBERS and text.isdecimal() else translate(text)

    def translate(text: str) -> str:
        exact = errors(language).get(text)
        words = gettext(language)(text) if exact is None else str(exact.string)
        if words != text:
            return words
        for pattern, target in _sentences(language):
            if match := pattern.fullmatch(text):
                return target % {k: value(k, v) for k, v in match.groupdict().items()}
        return text

    return translate


@cache
def errors(language: str) -> "Catalog":
    """The sentences of services in a language."""
    from babel.messages.catalog import Catalog  # noqa: PLC0415 - at the first page
    from babel.messages.pofile import read_po  # noqa: PLC0415 - at the first page

    file = _LOCALES / language / "errors.po"
    return read_po(file.read_text("utf-8").splitlines()) if file.exists() else Catalog()


@cache
def _sentences(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (re.compile(_PLACE.sub(r"(?P<\1>.*)", re.escape(entry.id)), re.DOTALL), str(entry.string))
        for entry in errors(language)
        if isinstance(entry.id, str) and "%(" in entry.id and entry.string
    )
