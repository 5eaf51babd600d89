"""Identifies callers: tokens, the gateway in front of the app, and the portal's cookies."""

from typing import Final

from shared.adapters.entra.gateway_tokens import Gateway, GatewayIdentity
from shared.adapters.sealing import GivenKeys, Seal, VaultKeys
from shared.wiring.foundation import Foundation
from shared.wiring.settings import Settings

SESSION_KEY: Final = "session-key"
"""The Key Vault secret that seals cookies. To renew it, add a version (`Fernet.generate_key`)."""
SESSION_KEYS_OPEN: Final = 2
"""How many of its versions open cookies: the current and the previous one."""


class Entra:
    """The services that identify callers."""

    def __init__(self, base: Foundation) -> None:
        settings = base.settings
        self.tokens = base.ports.tokens
        self.gateway = Gateway(self.tokens, _gateway_identity(settings), settings.portal_origin)
        self.seal_keys = (
            VaultKeys(base.vault, SESSION_KEY, SESSION_KEYS_OPEN)
            if settings.session_key is None
            else GivenKeys([settings.session_key])
        )
        self.seal = Seal(self.seal_keys, base.clock)


def _gateway_identity(settings: Settings) -> GatewayIdentity | None:
    """Return the check of the gateway's token; None if there is no gateway."""
    if settings.gateway_principal is None or settings.home_tenant is None:
        return None
    return GatewayIdentity(settings.home_tenant, settings.gateway_principal)
