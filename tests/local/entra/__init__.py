"""A simulator of Microsoft Entra ID: metadata, keys, sign-in, tokens and consent."""

from tests.local.entra.server import EntraServer, EntraSettings, create_app

__all__ = ["EntraServer", "EntraSettings", "create_app"]
