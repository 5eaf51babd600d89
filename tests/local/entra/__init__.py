"""A simulator of Microsoft Entra ID: metadata, keys, sign-in, tokens, admin consent.

Its tokens are for users of our API, for the app itself, and for a managed identity.
"""

from tests.local.entra.server import EntraServer, create_app
from tests.local.entra.state import EntraSettings

__all__ = ["EntraServer", "EntraSettings", "create_app"]
