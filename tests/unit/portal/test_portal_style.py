"""The style sheet: contrast in light and dark mode, and size."""

import re
from itertools import product

import pytest

from shared.portal import rendering

TEXT = 4.5
"""The minimum contrast of text with its background (WCAG 2.2, 1.4.3)."""
SHAPE = 3.0
"""The minimum contrast of controls and charts (WCAG 2.2, 1.4.11)."""
KINDS = ("ok", "warn", "bad", "busy")
MOST_BYTES = 30_500
"""Style sheet, script and icon together: half of the 60 kB that a page may load."""
NEVER = {
    ".css": r"@import|https?:|url\(",
    ".js": r"https?:|\beval\b|innerHTML|\.style\b",
    ".svg": r"<script|<style|style=|href=",
}
"""What the content security policy forbids, or would forbid if a file used it."""


def served(name: str) -> str:
    content, _ = rendering.static_file(name) or (b"", "")
    return content.decode()


def colors() -> dict[str, tuple[str, str]]:
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", served("portal.css"))
    return {name: (light, dark) for name, light, dark in found}


def luminance(color: str) -> float:
    channels = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


PAIRS = [
    *product(["ink", "quiet", "accent", "bad"], ["ground", "paper", "raised"], [TEXT]),
    ("on-accent", "accent", TEXT),
    ("paper", "bad", TEXT),
    # A note's text and links, and a badge's text, have the background of their kind.
    *((text, f"{kind}-ground", TEXT) for kind in KINDS for text in ("ink", "accent", kind)),
    *product(["edge"], ["ground", "paper"], [SHAPE]),
    *product(["accent", *KINDS], ["paper"], [SHAPE]),
]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back", "minimum"), PAIRS)
def test_text_and_controls_have_sufficient_contrast(
    front: str, back: str, minimum: float, scheme: int
) -> None:
    known = colors()

    assert contrast(known[front][scheme], known[back][scheme]) >= minimum


def test_contrast_is_calculated_as_in_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_style_sheet_uses_only_named_colors() -> None:
    sheet = served("portal.css")
    named = {color for pair in colors().values() for color in pair}
    used = set(re.findall(r"var\(--([\w-]+)\)", sheet))
    defined = set(re.findall(r"--([\w-]+):", sheet))

    assert set(re.findall(r"#[0-9a-f]{3,8}\b(?=[;,) ])", sheet)) <= named
    assert used - defined == set()


def test_static_files_stay_below_the_size_limit() -> None:
    names = ("portal.css", "portal.js", "icon.svg")

    assert sum(len(served(name)) for name in names) < MOST_BYTES


@pytest.mark.parametrize("name", ["portal.css", "portal.js", "icon.svg"])
def test_static_file_contains_nothing_the_content_security_policy_forbids(name: str) -> None:
    content = served(name).replace("http://www.w3.org/2000/svg", "")
    ending = name[name.rindex(".") :]

    assert re.findall(NEVER[ending], content) == []
