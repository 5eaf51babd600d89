"""Who calls: tokens, the gateway before the app, and the cookies of the portal."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from shared.adapters.entra.access_tokens import AccessTokens
from shared.adapters.entra.gateway_tokens import Gateway, Passport
from shared.adapters.sealing import Seal
from shared.adapters.vault import Vault
from shared.domain.errors import Defect
from shared.wiring.foundation import Foundation
from shared.wiring.settings import Settings

SESSION_KEY: Final = "session-key"
"""The secret, in Key Vault, that seals cookies; made anew to renew it (`Fernet.generate_key`)."""
SESSION_KEYS_OPEN: Final = 2
"""How many versions of it open them: the present one and the one before."""


@dataclass(frozen=True, slots=True)
class Entra:
    """What proves who calls."""

    tokens: AccessTokens
    gateway: Gateway
    seal: Seal


def build_entra(base: Foundation) -> Entra:
    """Make the validation of tokens and the sealing of cookies."""
    settings = base.settings
    tokens = AccessTokens(base.http, settings.entra_authority, settings.client_id)
    return Entra(
        tokens=tokens,
        gateway=Gateway(tokens, _passport(settings), settings.portal_origin),
        seal=Seal(partial(_session_keys, settings, base.vault), base.clock),
    )


def _passport(settings: Settings) -> Passport | None:
    """What the gateway's token says, if there is a gateway."""
    if settings.gateway_principal is None or settings.home_tenant is None:
        return None
    return Passport(settings.home_tenant, settings.gateway_principal)


async def _session_keys(settings: Settings, vault: Vault | None) -> list[str]:
    """The keys that seal cookies, the newest first: the vault's, or on this machine a setting's."""
    if settings.session_key is not None:
        return [settings.session_key]
    if vault is None:
        raise Defect("Set KEY_VAULT_URI: the vault's secret session-key seals the cookies.")
    return [version.value for version in await vault.versions(SESSION_KEY, SESSION_KEYS_OPEN)]
