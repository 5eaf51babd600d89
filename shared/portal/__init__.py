"""The pages that a browser shows: templates, rendered on the server, and what they link to."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE: Final = Path(__file__).parent
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
LANGUAGES: Final = {"en": "English", "de": "Deutsch"}


def render(template: str, language: str, **values: Any) -> str:
    """A page by the name of its template; every value is escaped where it is shown."""
    del language
    return _environment().get_template(f"{template}.html").render(**values)


def preferred(accept_language: str) -> str:
    """The language of ours that a browser prefers."""
    return "de" if accept_language.startswith("de") else "en"


def gettext(language: str) -> Callable[[str], str]:
    """What translates into a language."""
    del language
    return lambda text: text


def ngettext(language: str) -> Callable[[str, str, int], str]:
    """What translates a text with a number into a language."""
    del language
    return lambda one, many, num: one if num == 1 else many


def asset(name: str) -> str:
    """The address of a static file; it changes with the file, so that it may be kept for long."""
    content, _ = static_file(name) or (b"", "")
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


@cache
def static_file(name: str) -> tuple[bytes, str] | None:
    """A file that pages link to, and its type; None if there is none of this name."""
    for path in (_HERE / "static").iterdir():
        if path.name == name and path.suffix in _TYPES:
            return path.read_bytes(), _TYPES[path.suffix]
    return None


@cache
def _environment() -> "Environment":
    # At the first page: most that a new worker does needs none.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.globals["asset"] = asset
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    return environment
