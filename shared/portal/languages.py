"""The languages of the portal: which one a browser prefers, and the translation of a text.

Texts are written in English where they are used. `locales/<language>` holds their translations:
`make messages` extracts the texts into a catalogue and compiles the translations. The texts of
errors are in `shared/web/texts/errors.py`.
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
    """A language and its own name; `locale` defines how it writes dates and numbers (Unicode CLDR).

    `delimiter` is the character that spreadsheet programs in this language expect between cells.
    """

    name: str
    locale: str
    delimiter: Delimiter


LANGUAGES: Final = {
    "en": Language("English", "en_GB", ","),
    "de": Language("Deutsch", "de_DE", ";"),
}
"""The languages by code. All texts are written in the first one."""

_LOCALES: Final = Path(__file__).parent / "locales"


def preferred(accept_language: str) -> str:
    """Return the supported language that a browser prefers (RFC 9110, Accept-Language)."""
    wanted = parse_accept_header(accept_language[:1000], LanguageAccept)
    return str(wanted.best_match(LANGUAGES) or next(iter(LANGUAGES)))


@cache
def translations(language: str) -> "NullTranslations":
    """Return the translations into a language. Texts without a translation stay unchanged."""
    from babel.support import Translations  # noqa: PLC0415 - at the first page

    return Translations.load(_LOCALES, [language])


def gettext(language: str) -> Callable[[str], str]:
    """Return the function that translates a text into a language."""
    return translations(language).gettext


def ngettext(language: str) -> Callable[[str, str, int], str]:
    """Return the function that translates a text with a number, and formats its `%(num)s`.

    Pages need no number formatting of their own.
    """
    from shared.portal.formats import filters  # noqa: PLC0415 - at the first page, with Babel

    found, number = translations(language).ngettext, filters(language)["number"]

    def translate(one: str, many: str, num: int) -> str:
        return found(one, many, num).replace("%(num)s", number(num))

    return translate
