"""Text as Exchange takes it: without control characters, and cut to the length that it stores.

Everything that carries meaning stays: joiners and directional marks, private characters, line
breaks where a text may have several lines. Characters that turn the direction of text stay in pairs
only, or they would turn what stands behind the text (Unicode Standard Annex #9). Nothing is cut
within what a reader sees as one character (Unicode Standard Annex #29).
"""

import re
import unicodedata
from bisect import bisect_right
from itertools import accumulate
from typing import Final

MAX_UNITS: Final = 255
"""The longest text, in UTF-16 units, that Exchange is sure to show whole.

Columns of its tables end there (microsoft-graph-docs#17598); Graph documents no other limit.
"""

_BREAKS: Final = dict.fromkeys((0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029), "\n")
_SPACES: Final = (0x09, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)
_CONTROLS: Final[dict[int, str | None]] = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), None)
_LINES: Final = str.maketrans(_CONTROLS | dict.fromkeys(_SPACES, " ") | _BREAKS)
_LINE: Final = str.maketrans(_CONTROLS | dict.fromkeys((*_SPACES, *_BREAKS), " "))
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_OPEN_EMBEDDING: Final = frozenset("\u202a\u202b\u202d\u202e")
_CLOSE_EMBEDDING: Final = "\u202c"
_OPEN_ISOLATE: Final = frozenset("\u2066\u2067\u2068")
_CLOSE_ISOLATE: Final = "\u2069"
_DIRECTION: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")

_MARKS: Final = ("Mn", "Mc", "Me")
_VIRAMA: Final = 9
_EXTENDING: Final = re.compile(
    "[\u200c\u200d\u0e33\u0eb3\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)
"""What continues a character beside marks: joiners, vowel signs, skin tones, tags of flags."""
_LEADING_JAMO: Final = re.compile("[\u1100-\u115f\ua960-\ua97c]")
_FOLLOWING_JAMO: Final = re.compile("[\u1160-\u11ff\ud7b0-\ud7fb]")
_REGIONAL: Final = range(0x1F1E6, 0x1F200)


def line(value: object) -> str | None:
    """Return a text as one line without surrounding spaces; None if nothing is left."""
    return _cleaned(value, _LINE)


def lines(value: object) -> str | None:
    """Return a text that may have several lines, as an address has; None if nothing is left."""
    return _cleaned(value, _LINES)


def _cleaned(value: object, table: dict[int, str | None]) -> str | None:
    if not isinstance(value, str):
        return None
    if value.isprintable():
        return value.strip() or None
    if _SURROGATE.search(value):
        # Halves that belong together become one character; the others have no meaning.
        value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    cleaned = value.replace("\r\n", "\n").translate(table).strip()
    return _paired(cleaned).strip() or None


def _paired(text: str) -> str:
    """Return a text without the characters that turn its direction and have no counterpart.

    A pair ends in its line; an embedding also ends with the isolate around it.
    """
    if not _DIRECTION.search(text):
        return text
    alone: set[int] = set()
    opened: list[int] = []
    for at, char in enumerate(f"{text}\n"):
        if char == "\n":
            alone.update(opened)
            opened.clear()
        elif char in _OPEN_EMBEDDING or char in _OPEN_ISOLATE:
            opened.append(at)
        elif char == _CLOSE_EMBEDDING:
            if opened and text[opened[-1]] in _OPEN_EMBEDDING:
                opened.pop()
            else:
                alone.add(at)
        elif char == _CLOSE_ISOLATE:
            if not any(text[known] in _OPEN_ISOLATE for known in opened):
                alone.add(at)
                continue
            while text[last := opened.pop()] not in _OPEN_ISOLATE:
                alone.add(last)
    return "".join(char for at, char in enumerate(text) if at not in alone)


def fitting(text: str) -> str:
    """Return the text, or as much of its beginning as Exchange is sure to store."""
    if 2 * len(text) <= MAX_UNITS:
        return text
    ends = list(accumulate(2 if ord(char) > 0xFFFF else 1 for char in text))
    end = bisect_right(ends, MAX_UNITS)
    if end == len(text):
        return text
    whole = end
    while whole and _continues(text, whole):
        whole -= 1
    return _paired(text[: whole or end]).rstrip()


def _continues(text: str, position: int) -> bool:
    """Return whether the character here may belong to the one before it.

    In doubt it does: a cut a little earlier does no harm.
    """
    before, after = text[position - 1], text[position]
    if unicodedata.category(after) in _MARKS or _EXTENDING.match(after):
        return True
    if unicodedata.category(before) == "Cf" or unicodedata.combining(before) == _VIRAMA:
        return True
    if _FOLLOWING_JAMO.match(after) or _LEADING_JAMO.match(before):
        return True
    if ord(before) in _REGIONAL and ord(after) in _REGIONAL:
        flags = position
        while flags and ord(text[flags - 1]) in _REGIONAL:
            flags -= 1
        return (position - flags) % 2 == 1
    return False
