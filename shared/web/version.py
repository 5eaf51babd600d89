"""The version of Contact Sync: shown in the OpenAPI document, at `/api/health` and in the footer.

This is its only place. pyproject.toml reads it from here, since the deployed package has no
pyproject.toml; CHANGELOG.md says what each version brought.
"""

from typing import Final

VERSION: Final = "0.1.0"
