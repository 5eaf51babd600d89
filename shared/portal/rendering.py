"""Render the pages from templates on the server, and serve the files that they link to.

Nothing here calls a service or applies a rule. Every value is escaped. Pages have no inline script
or style, because the Content-Security-Policy allows neither.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from shared.domain.contacts.fields import LABELS
from shared.domain.errors import Value
from shared.portal.languages import LANGUAGES, gettext, ngettext, preferred
from shared.web.texts.checks import CAUSES, QUESTIONS, SOLUTIONS
from shared.web.texts.errors import ErrorTexts
from shared.web.texts.reasons import PERMISSIONS
from shared.web.version import VERSION

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = [
    "LANGUAGES",
    "asset",
    "error_texts",
    "gettext",
    "money",
    "ngettext",
    "number",
    "preferred",
    "render",
    "static_file",
    "words",
]

_HERE: Final = Path(__file__).parent
_ASIDE: Final = {
    ".css": re.compile(rb"/\*.*?\*/|(?<=[{};])\s+|\s+(?=[{}])", re.DOTALL),
    ".js": re.compile(rb"^\s*//[^\n]*\n|^[ \t]+", re.MULTILINE),
}
"""Comments and blanks, which are for readers of the source and not sent to browsers."""
_REDOC: Final = "redoc.js"
_PACKAGE: Final = "drf_spectacular_sidecar"
_LOGO: Final = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
"""The only file that Redoc would load from elsewhere."""
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def render(template: str, language: str, **values: Any) -> str:
    """Render a template in a language; a missing value is an error."""
    return _environment(language).get_template(f"{template}.html").render(values)


def words(table: str, language: str, template: str = "words") -> Mapping[str, Any]:
    """Return the words for codes of the API: a table of `words.html`, in a language."""
    found: Mapping[str, Any] = getattr(
        _environment(language).get_template(f"{template}.html").module, table
    )
    return found


def number(language: str) -> Callable[[int], str]:
    """Return the function that formats a number for a language."""
    found: Callable[[int], str] = _environment(language).filters["number"]
    return found


def money(language: str) -> Callable[[Decimal, str], str]:
    """Return the function that formats an amount of a currency for a language."""
    found: Callable[[Decimal, str], str] = _environment(language).filters["money"]
    return found


@cache
def error_texts(language: str) -> ErrorTexts:
    """Return the texts of errors in a language, with its formats of numbers and dates."""
    from shared.portal.formats import filters  # noqa: PLC0415 - at the first page, with Babel

    written = filters(language)

    def write(value: Value) -> str:
        match value:
            case str():
                return value
            case int() | float():
                return written["number"](value)
            case tuple():
                return ", ".join(value)
            case datetime():
                return written["moment"](value)
            case _:
                return written["day"](value)

    return ErrorTexts(gettext(language), write)


@cache
def asset(name: str) -> str:
    """Return the address of a static file; it changes with the file, so browsers may cache it."""
    content, _ = static_file(name) or (b"", "")
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    found = [path for path in (_HERE / "static").iterdir() if path.suffix in _TYPES]
    return {path.name: (_content(path), _TYPES[path.suffix]) for path in found}


def _content(path: Path) -> bytes:
    aside = _ASIDE.get(path.suffix)
    return aside.sub(b"", path.read_bytes()) if aside is not None else path.read_bytes()


def static_file(name: str) -> tuple[bytes, str] | None:
    """Return the content and type of a static file; None if there is no file with this name."""
    return _redoc() if name == _REDOC else _files().get(name)


@cache
def _redoc() -> tuple[bytes, str]:
    """Return Redoc as a package brings it (pyproject.toml), without its logo."""
    path = f"{_PACKAGE}/static/{_PACKAGE}/redoc/bundles/redoc.standalone.js"
    file = Path(str(distribution(_PACKAGE).locate_file(path)))
    return file.read_bytes().replace(_LOGO, b""), _TYPES[".js"]


@cache
def _environment(language: str) -> "Environment":
    # Most that a new worker does needs no page.
    from jinja2 import (  # noqa: PLC0415 - at the first page
        Environment,
        FileSystemLoader,
        StrictUndefined,
    )

    from shared.portal.formats import filters  # noqa: PLC0415 - at the first page, with Babel

    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    translate = gettext(language)
    environment.globals |= {
        "asset": asset,
        "languages": LANGUAGES,
        "version": VERSION,
        # What people call the fields of a contact, by their names in the API.
        "field_labels": lambda: {name: translate(label) for name, label in LABELS.items()},
    }
    environment.filters |= filters(language)
    environment.filters |= {
        "round_up": _round_up,
        "remedy": error_texts(language).remedy,
        "why": lambda permission: translate(PERMISSIONS[permission.name][0]),
        "without": lambda permission: translate(PERMISSIONS[permission.name][1]),
        "question": lambda line: translate(QUESTIONS[line]),
        "cause": lambda reason: translate(CAUSES[reason]),
        "solution": lambda reason: translate(SOLUTIONS[reason]),
        "names_of": lambda id_, names: (id_, names.get(id_, id_)),
        "labelled": lambda name, labels: (name, labels.get(name, name)),
    }
    environment.install_gettext_callables(  # type: ignore[attr-defined] # the extension's
        translate, ngettext(language), newstyle=True
    )
    return environment


def _round_up(count: int) -> int:
    """Return where an axis ends: the next 1, 2 or 5 times a power of ten."""
    power: int = 10 ** (len(str(max(count, 1))) - 1)
    return min(top for top in (power, 2 * power, 5 * power, 10 * power) if top >= count)
