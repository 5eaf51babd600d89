"""Every setting of the app, read once from the environment and checked with a clear error.

In Azure the function app's application settings are the environment; locally
`local.settings.json` or the local cloud sets them. No setting holds a secret of production:
`APP_CLIENT_SECRET` is taken only for an Entra simulator on this machine.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.domain.errors import Defect
from shared.domain.licensing import Terms

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Settings(BaseModel):
    """The app's settings; each field's alias is the name of its environment variable."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    storage_connection_string: Annotated[str | None, Field(alias="AzureWebJobsStorage")] = None
    table_endpoint: Annotated[str | None, Field(alias="AzureWebJobsStorage__tableServiceUri")] = (
        None
    )
    queue_endpoint: Annotated[str | None, Field(alias="AzureWebJobsStorage__queueServiceUri")] = (
        None
    )
    entra_authority: Annotated[str, Field(alias="ENTRA_AUTHORITY")] = (
        "https://login.microsoftonline.com"
    )
    graph_endpoint: Annotated[str, Field(alias="GRAPH_ENDPOINT")] = (
        "https://graph.microsoft.com/v1.0"
    )
    client_id: Annotated[str, Field(alias="APP_CLIENT_ID", min_length=1)]
    credential: Annotated[
        Literal["managed-identity", "client-secret"], Field(alias="APP_CREDENTIAL")
    ] = "managed-identity"
    client_secret: Annotated[str | None, Field(alias="APP_CLIENT_SECRET", repr=False)] = None
    managed_identity_client_id: Annotated[str | None, Field(alias="MANAGED_IDENTITY_CLIENT_ID")] = (
        None
    )
    home_tenant: Annotated[str | None, Field(alias="HOME_TENANT_ID")] = None
    data_region: Annotated[str, Field(alias="DATA_REGION", min_length=1)] = "westeurope"
    trial_days: Annotated[int, Field(alias="TRIAL_DAYS", ge=0, le=365)] = 30
    grace_days: Annotated[int, Field(alias="GRACE_DAYS", ge=0, le=365)] = 14
    ledger_days: Annotated[int, Field(alias="LEDGER_DAYS", ge=30, le=3650)] = 365
    calls_per_minute: Annotated[int, Field(alias="CALLS_PER_MINUTE", ge=10)] = 600

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings; raises `Defect` that names each setting that is missing or wrong."""
        try:
            return cls.model_validate(dict(environment))
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}"
                for e in error.errors(include_input=False)
            )
            message = f"The application settings are not complete: {wrong}."
            raise Defect(message) from error

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.storage_connection_string and not (self.table_endpoint and self.queue_endpoint):
            message = (
                "set AzureWebJobsStorage, or AzureWebJobsStorage__tableServiceUri and "
                "AzureWebJobsStorage__queueServiceUri"
            )
            raise ValueError(message)
        if self.credential == "client-secret":
            if urlsplit(self.entra_authority).hostname not in _LOOPBACK:
                message = "APP_CREDENTIAL=client-secret is for a simulator on this machine only"
                raise ValueError(message)
            if not self.client_secret:
                message = "APP_CREDENTIAL=client-secret needs APP_CLIENT_SECRET"
                raise ValueError(message)
        return self

    @property
    def terms(self) -> Terms:
        """How long the trial lasts, and the grace time without a seat."""
        return Terms(timedelta(days=self.trial_days), timedelta(days=self.grace_days))

    @property
    def ledger_kept(self) -> timedelta:
        """How long the ledger's entries are kept."""
        return timedelta(days=self.ledger_days)
