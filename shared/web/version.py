"""The version of Contact Sync: in the API's document, at `/api/health` and at the foot of pages.

This is its only place. pyproject.toml reads it from here, since the deployed package has no
pyproject.toml; CHANGELOG.md says what each version brought.
"""

from typing import Final

VERSION: Final = "0.1.0"
