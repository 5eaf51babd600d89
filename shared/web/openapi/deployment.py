"""What the document says of one deployment: its addresses, its application and its own limits."""

from dataclasses import dataclass
from typing import Final, Self

from shared.wiring.settings import Settings

_ANY: Final = "organizations"
"""What Entra ID calls the tenants of all companies."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The settings that a reader of the document needs; `origin` is where the API is reached."""

    origin: str
    authority: str
    directory: str
    client_id: str
    calls_per_minute: int
    calls_per_user: int
    run_days: int
    ledger_days: int
    trial_days: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say."""
        return cls(
            origin=settings.portal_origin,
            authority=settings.entra_authority,
            directory=settings.sign_in_tenant,
            client_id=settings.client_id,
            calls_per_minute=settings.calls_per_minute,
            calls_per_user=settings.calls_per_user,
            run_days=settings.run_days,
            ledger_days=settings.ledger_days,
            trial_days=settings.trial_days,
        )

    @property
    def entra(self) -> str:
        """The address of Entra ID's pages and tokens."""
        return f"{self.authority}/{self.directory}/oauth2/v2.0"

    @property
    def token_address(self) -> str:
        """Where a program gets its token; it may have to put the id of its tenant there."""
        own = "{your tenant id}" if self.directory == _ANY else self.directory
        return f"{self.authority}/{own}/oauth2/v2.0/token"

    @property
    def scope(self) -> str:
        """The scope that a program requests with its client credentials."""
        return f"api://{self.client_id}/.default"


def _default(name: str) -> int:
    return int(Settings.model_fields[name].default)


UNDEPLOYED: Final = Deployment(
    origin="",
    authority=Settings.model_fields["entra_authority"].default,
    directory=Settings.model_fields["sign_in_tenant"].default,
    client_id="contact-sync",
    calls_per_minute=_default("calls_per_minute"),
    calls_per_user=_default("calls_per_minute") // 2,
    run_days=_default("run_days"),
    ledger_days=_default("ledger_days"),
    trial_days=_default("trial_days"),
)
"""No deployment: the document as `make openapi` writes it, with the defaults of all settings."""
