"""The version of Contact Sync: shown in the OpenAPI document, at `/api/health` and in the footer.

The version is set only here. pyproject.toml reads it from here, because the deployed package has no
pyproject.toml. CHANGELOG.md lists the changes of each version.
"""

from typing import Final

VERSION: Final = "0.1.0"
