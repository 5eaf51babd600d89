"""The pages that a browser shows: templates, rendered on the server, and what they link to."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE: Final = Path(__file__).parent
STATIC: Final = {"portal.css": "text/css"}
"""The files that pages link to, with their types."""


def render(template: str, **values: Any) -> str:
    """A page by the name of its template; every value is escaped where it is shown."""
    return _environment().get_template(f"{template}.html").render(**values)


@cache
def static(name: str) -> bytes:
    """A file of `STATIC`."""
    return (_HERE / "static" / name).read_bytes()


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
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    return environment
