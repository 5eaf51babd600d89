"""The table of contents in function_app.py, made from the functions; `make openapi` writes it.

A new function is listed with its module, a new module after those of its package.
"""

import re
import sys
from importlib import import_module
from pkgutil import iter_modules
from textwrap import wrap
from typing import Final

from tests.sources import ROOT

FILE: Final = ROOT / "function_app.py"
PACKAGES: Final = ("shared.api", "shared.portal.pages", "shared.background")
_WIDTH: Final = 98
_INDENT: Final = " " * 18


def functions() -> dict[str, dict[str, list[str]]]:
    """Return the names of all functions, in order of their declaration, by package and module."""
    found: dict[str, dict[str, list[str]]] = {}
    for package in PACKAGES:
        modules = sorted(m.name for m in iter_modules(import_module(package).__path__))
        found[package] = {
            name: [
                builder._function.get_function_name()
                for builder in import_module(f"{package}.{name}").bp._function_builders
            ]
            for name in modules
        }
    return found


def written(text: str) -> str:
    """Return the text of function_app.py with its lists as the functions are."""
    for package, modules in functions().items():
        folder = package.replace(".", "/")
        head = re.search(rf"^\S.*`{folder}`.*\n", text, re.MULTILINE)
        assert head is not None, f"function_app.py does not name {folder}"
        lists = re.compile(r"(    .*\n)+").match(text, head.end())
        assert lists is not None, folder
        listed = re.findall(r"^    (\w+)", lists[0], re.MULTILINE)
        order = [n for n in listed if n in modules] + [n for n in modules if n not in listed]
        lines = "".join(_lines(name, modules[name]) for name in order)
        text = text[: lists.start()] + lines + text[lists.end() :]
    return text


def _lines(module: str, names: list[str]) -> str:
    width = _WIDTH - len(_INDENT)
    return "".join(
        f"{f'    {module:<14}' if at == 0 else _INDENT}{line}\n"
        for at, line in enumerate(wrap(", ".join(names), width))
    )


if __name__ == "__main__":
    FILE.write_text(written(FILE.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{FILE.name} is written\n")
