"""The languages of the portal: which one a browser wants, and what a text is in it.

Texts are written in English where they are used; `locales/<language>` holds them in another
language: `make messages` extracts them into a catalogue, and compiles what is translated there.
The words of errors stand in `shared/web/error_texts.py`, as English texts like all others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from shared.domain.spreadsheet import Delimiter

if TYPE_CHECKING:
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
