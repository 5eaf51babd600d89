"""A simulator of Microsoft Entra ID: metadata, keys, sign-in, tokens, admin consent.

It issues tokens to users of our API, to the app itself, and to a managed identity.
"""

from tests.local.entra.server import EntraServer, create_app
from tests.local.entra.state import EntraSettings

__all__ = ["EntraServer", "EntraSettings", "create_app"]
