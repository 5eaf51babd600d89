"""The languages of the portal: which one a browser wants, and what a text is in it.

Texts are written in English where they are used; `locales/<language>/*.po` hold them in another
language, one file an area. Errors come from services as English sentences, some with values in
them: those are found by a msgid whose `%(…)s` stand for any text; in English, too, where pydantic's
words are for programmers.
"""

import io
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog
    from babel.support import NullTranslations

LANGUAGES: Final = {"en": "English", "de": "Deutsch"}
"""The languages by their codes, each by its own name; the first is the one of all texts."""

_LOCALES: Final = Path(__file__).parent / "locales"
_PLACE: Final = re.compile(r"%\\\((\w+)\\\)s")
_NUMBERS: Final = ("n", "m", "most")
"""The places of a sentence's msgid that hold numbers, not words or ids."""


def preferred(accept_language: str) -> str:
    """The language of ours that a browser prefers (RFC 9110, Accept-Language)."""
    weighed: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language.split(",")[:20]):
        tag, _, weight = part.strip().partition(";q=")
        code = tag.split("-")[0].lower()
        try:
            quality = float(weight or 1)
        except ValueError:
            quality = 0
        if code in LANGUAGES and quality > 0:
            weighed.append((-quality, place, code))
    return min(weighed)[2] if weighed else next(iter(LANGUAGES))


@cache
def catalogs(language: str) -> "tuple[Catalog, ...]":
    """What is translated into a language, area by area."""
    from babel.messages.pofile import read_po  # noqa: PLC0415 - at the first page

    files = sorted((_LOCALES / language).glob("*.po"))
    return tuple(read_po(path.read_text("utf-8").splitlines(), locale=language) for path in files)


@cache
def translations(language: str) -> "NullTranslations":
    """The translations into a language; texts that have none stay as they are."""
    from babel.messages.mofile import write_mo  # noqa: PLC0415 - at the first page
    from babel.support import NullTranslations, Translations  # noqa: PLC0415 - at the first page

    merged: Translations | None = None
    for catalog in catalogs(language):
        packed = io.BytesIO()
        write_mo(packed, catalog)
        packed.seek(0)
        area = Translations(packed)
        merged = area if merged is None else merged.merge(area)
    return merged or NullTranslations()


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

    found, number = gettext(language), filters(language)["number"]

    def value(name: str, text: str) -> str:
        return number(int(text)) if name in _NUMBERS and text.isdecimal() else found(text)

    def translate(text: str) -> str:
        exact = found(text)
        if exact != text:
            return exact
        for pattern, target in _sentences(language):
            if match := pattern.fullmatch(text):
                return target % {k: value(k, v) for k, v in match.groupdict().items()}
        return text

    return translate


@cache
def _sentences(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (re.compile(_PLACE.sub(r"(?P<\1>.*)", re.escape(entry.id)), re.DOTALL), str(entry.string))
        for catalog in catalogs(language)
        for entry in catalog
        if isinstance(entry.id, str) and "%(" in entry.id and entry.string
    )
