"""Marking texts of the domain that people read, so that their translations are found.

The domain translates nothing: whoever shows a marked text looks it up in the reader's language.
"""


def N_(text: str) -> str:  # noqa: N802 - the name by which gettext's tools know it
    """Mark a text for translation; it stays as it is."""
    return text
