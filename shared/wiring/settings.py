"""Every setting of the app, read once from the environment and checked with a clear error.

In Azure, the environment is the function app's application settings; locally, `local.settings.json`
or the local cloud sets it. No setting holds a production secret: `APP_CLIENT_SECRET` and
`SESSION_KEY` are accepted only with an Entra simulator on this machine.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.adapters.entra.credentials import AppCredential, CredentialKind
from shared.adapters.loopback import LOOPBACK, is_loopback, split
from shared.domain.errors import Defect
from shared.domain.regions import COUNTRIES
from shared.domain.tenancy import prices
from shared.domain.tenancy.licensing import Terms

# Docs: about-keys-secrets-certificates (vault URLs of each cloud, names of vaults and secrets).
_VAULT: Final = re.compile(
    r"[a-z][a-z0-9-]{1,22}[a-z0-9]\.vault\.(azure\.net|azure\.cn|usgovcloudapi\.net)"
)
_CONTACT: Final = r"(mailto:|tel:|https://)[!-~]+"
_CALLS_OF_ONE: Final = 50
_AUTHORITY: Final = "https://login.microsoftonline.com"
_GRAPH: Final = "https://graph.microsoft.com/v1.0"
_log = logging.getLogger(__name__)


class Settings(BaseModel):
    """The app's settings; each field's alias is the name of its environment variable.

    `credential` chooses how the app authenticates to Entra ID:

    - `managed-identity`: with the user-assigned identity; no secret is stored.
    - `key-vault-certificate`, `key-vault-secret`: with what the vault stores as `credential_name`.
    - `client-secret`: with `client_secret`, to a simulator on this machine only.

    `portal_origin` is the portal's address in the browser, such as https://portal.example; it is
    never read from a request. Cookies are sealed with a key from the vault or, on this machine,
    with `session_key`.

    `gateway_principal` is the object id, in `home_tenant`, of the managed identity of the gateway
    in front of the app. If it is set, the app accepts only calls with that identity's token
    (`shared/web/admission.py`), and `portal_origin` is the gateway's; otherwise it accepts calls
    from anyone.

    `sign_in_tenant` is the tenant whose people may sign in, if the application is of that tenant
    alone; otherwise `organizations`.

    `security_contact` lists, between spaces, the addresses for reports of vulnerabilities.
    `support_contact` is where people of customers get help. `license_prices` is the price list, see
    `prices.parse`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    storage_connection_string: Annotated[
        str | None, Field(alias="AzureWebJobsStorage", repr=False)
    ] = None
    table_endpoint: Annotated[str | None, Field(alias="AzureWebJobsStorage__tableServiceUri")] = (
        None
    )
    queue_endpoint: Annotated[str | None, Field(alias="AzureWebJobsStorage__queueServiceUri")] = (
        None
    )
    entra_authority: Annotated[str, Field(alias="ENTRA_AUTHORITY")] = _AUTHORITY
    graph_endpoint: Annotated[str, Field(alias="GRAPH_ENDPOINT")] = _GRAPH
    client_id: Annotated[str, Field(alias="APP_CLIENT_ID")]
    credential: Annotated[CredentialKind, Field(alias="APP_CREDENTIAL")] = "managed-identity"
    client_secret: Annotated[str | None, Field(alias="APP_CLIENT_SECRET", repr=False)] = None
    managed_identity_client_id: Annotated[str | None, Field(alias="MANAGED_IDENTITY_CLIENT_ID")] = (
        None
    )
    key_vault_uri: Annotated[str | None, Field(alias="KEY_VAULT_URI")] = None
    credential_name: Annotated[
        str, Field(alias="APP_KEY_VAULT_SECRET", pattern=r"^[0-9a-zA-Z-]{1,127}$")
    ] = "contact-sync-app"
    portal_origin: Annotated[str, Field(alias="PORTAL_ORIGIN")] = "http://localhost:7071"
    session_key: Annotated[str | None, Field(alias="SESSION_KEY", repr=False)] = None
    home_tenant: Annotated[str | None, Field(alias="HOME_TENANT_ID")] = None
    sign_in_tenant: Annotated[
        str,
        Field(
            alias="SIGN_IN_TENANT",
            pattern=r"^(organizations|[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12})$",
        ),
    ] = "organizations"
    gateway_principal: Annotated[
        str | None,
        Field(alias="GATEWAY_PRINCIPAL_ID", pattern=r"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$"),
    ] = None
    data_region: Annotated[str, Field(alias="DATA_REGION")] = "westeurope"
    trial_days: Annotated[int, Field(alias="TRIAL_DAYS", ge=0, le=365)] = 30
    grace_days: Annotated[int, Field(alias="GRACE_DAYS", ge=0, le=365)] = 14
    ledger_days: Annotated[int, Field(alias="LEDGER_DAYS", ge=30, le=3650)] = 365
    run_days: Annotated[int, Field(alias="RUN_DAYS", ge=31, le=3650)] = 90
    security_contact: Annotated[str, Field(alias="SECURITY_CONTACT")] = ""
    security_policy: Annotated[str, Field(alias="SECURITY_POLICY")] = ""
    support_contact: Annotated[
        str, Field(alias="SUPPORT_CONTACT", pattern=r"^((mailto:|tel:|https://)[!-~]+)?$")
    ] = ""
    license_prices: Annotated[
        str, Field(alias="LICENSE_PRICES", pattern=f"^({prices.PATTERN})?$")
    ] = ""
    security_expires: Annotated[AwareDatetime | None, Field(alias="SECURITY_EXPIRES")] = None
    leaving_hours: Annotated[int, Field(alias="LEAVING_HOURS", ge=0, le=720)] = 24
    calls_per_minute: Annotated[int, Field(alias="CALLS_PER_MINUTE", ge=10)] = 600
    user_calls: Annotated[int | None, Field(alias="USER_CALLS_PER_MINUTE", ge=10)] = None
    stranger_calls: Annotated[int, Field(alias="ANONYMOUS_CALLS_PER_MINUTE", ge=10)] = 600

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings. An empty setting counts as not set.

        Raises `Defect` that names each missing or wrong setting, never its value.
        """
        given = {name: value for name, value in environment.items() if value}
        wrong = dict(_wrong(given))
        try:
            found = cls.model_validate(given)
        except ValidationError as error:
            for e in error.errors(include_input=False, include_url=False, include_context=False):
                wrong.setdefault(str(e["loc"][0]), e["msg"])
            raise _defect(wrong) from None
        if wrong:
            raise _defect(wrong)
        return found

    @property
    def app_credential(self) -> AppCredential:
        """How the app authenticates to Entra ID."""
        return AppCredential(
            client_id=self.client_id,
            authority=self.entra_authority,
            kind=self.credential,
            vault_name=self.credential_name,
            secret=self.client_secret,
        )

    @property
    def calls_per_user(self) -> int:
        """How many calls of one user an instance accepts per minute."""
        return self.user_calls or max(_CALLS_OF_ONE, self.calls_per_minute // 2)

    @property
    def terms(self) -> Terms:
        """How long the trial lasts, and how long contacts stay in a mailbox without a license."""
        return Terms(timedelta(days=self.trial_days), timedelta(days=self.grace_days))

    @property
    def leaving_wait(self) -> timedelta:
        """How long leaving can be taken back before it begins."""
        return timedelta(hours=self.leaving_hours)

    @property
    def runs_kept(self) -> timedelta:
        """How long runs and their results are stored."""
        return timedelta(days=self.run_days)

    @property
    def ledger_kept(self) -> timedelta:
        """How long ledger entries are stored."""
        return timedelta(days=self.ledger_days)


def check_at_load(environment: Mapping[str, str]) -> None:
    """Raise an error while the Functions host loads the app, if its settings are invalid.

    Raises `Defect`, which is also logged. Then no function is registered and no message is
    received: messages wait in their queues instead of failing and becoming poison. The worker
    passes the error to the host, which logs it; the host's portal may only say that it found no
    functions (azure-functions-host#9679). Without WEBSITE_HOSTNAME, which App Service and Core
    Tools set (azure-functions-core-tools#197), a tool is only inspecting the app, and nothing is
    checked.
    """
    if not environment.get("WEBSITE_HOSTNAME"):
        return
    try:
        Settings.from_environment(environment)
    except Defect as error:
        _log.error("Contact Sync does not start. %s", error)
        raise


def _wrong(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Check settings that depend on each other; yield each wrong name and what it needs."""
    tables, queues = (f"AzureWebJobsStorage__{kind}ServiceUri" for kind in ("table", "queue"))
    if "AzureWebJobsStorage" not in given and not (tables in given and queues in given):
        yield "AzureWebJobsStorage", f"set it, or {tables} and {queues}"
    known = {"ENTRA_AUTHORITY": _AUTHORITY, "GRAPH_ENDPOINT": _GRAPH}
    for name, default in known.items():
        if not _safe(given.get(name, default)):
            yield name, "must be an https URL"
    authority_is_local = is_loopback(given.get("ENTRA_AUTHORITY", _AUTHORITY))
    if "APP_CLIENT_SECRET" in given and not authority_is_local:
        yield "APP_CLIENT_SECRET", "remove it: a secret belongs in Key Vault, not in a setting"
    if "KEY_VAULT_URI" in given and not _is_vault(given["KEY_VAULT_URI"]):
        yield "KEY_VAULT_URI", "must be a vault's URI, such as https://NAME.vault.azure.net"
    if given.get("DATA_REGION", "westeurope") not in COUNTRIES:
        yield "DATA_REGION", f"must be a region in the European Union: {', '.join(COUNTRIES)}"
    if "GATEWAY_PRINCIPAL_ID" in given and "HOME_TENANT_ID" not in given:
        yield "HOME_TENANT_ID", "GATEWAY_PRINCIPAL_ID needs it: the tenant of that identity"
    yield from _wrong_security_txt(given)
    yield from _wrong_for_browsers(given, authority_is_local=authority_is_local)
    yield from _wrong_choice(given, authority_is_local=authority_is_local)


def _wrong_security_txt(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Check the settings of /.well-known/security.txt."""
    contacts = given.get("SECURITY_CONTACT", "").split()
    if not all(re.fullmatch(_CONTACT, contact) for contact in contacts):
        yield (
            "SECURITY_CONTACT",
            "must be mailto:, tel: or https: addresses, separated by spaces",
        )
    if contacts and "SECURITY_EXPIRES" not in given:
        yield "SECURITY_EXPIRES", "SECURITY_CONTACT needs it: a time less than a year ahead"
    if not re.fullmatch(r"(https://[!-~]+)?", given.get("SECURITY_POLICY", "")):
        yield "SECURITY_POLICY", "must be an https URL"


def _wrong_for_browsers(
    given: Mapping[str, str], *, authority_is_local: bool
) -> Iterator[tuple[str, str]]:
    """Check the settings of the portal."""
    if "PORTAL_ORIGIN" in given and not _is_origin(given["PORTAL_ORIGIN"]):
        yield "PORTAL_ORIGIN", "must be an https origin without a path, such as https://NAME"
    if authority_is_local:
        return
    if "PORTAL_ORIGIN" not in given:
        yield "PORTAL_ORIGIN", "set it to the address of the portal in browsers"
    if "SESSION_KEY" in given:
        yield "SESSION_KEY", "remove it: the key belongs in Key Vault, as session-key"
    if "KEY_VAULT_URI" not in given:
        yield "KEY_VAULT_URI", "set it to the URI of the vault that contains session-key"


def _wrong_choice(
    given: Mapping[str, str], *, authority_is_local: bool
) -> Iterator[tuple[str, str]]:
    """Check that the chosen kind of credential has all the settings it needs."""
    choice = given.get("APP_CREDENTIAL", "managed-identity")
    match choice:
        case "managed-identity" if "MANAGED_IDENTITY_CLIENT_ID" not in given:
            # Docs: workload-identity-federation-config-app-trust-managed-identity: no other kind.
            text = f"APP_CREDENTIAL={choice} needs the client id of the user-assigned identity"
            yield "MANAGED_IDENTITY_CLIENT_ID", text
        case "key-vault-certificate" | "key-vault-secret" if "KEY_VAULT_URI" not in given:
            text = f"APP_CREDENTIAL={choice} needs the URI of the vault"
            yield "KEY_VAULT_URI", text
        case "client-secret" if not authority_is_local:
            yield "APP_CREDENTIAL", "client-secret is for a simulator on this machine only"
        case "client-secret" if "APP_CLIENT_SECRET" not in given:
            yield "APP_CLIENT_SECRET", f"APP_CREDENTIAL={choice} needs it"


def _defect(wrong: Mapping[str, str]) -> Defect:
    listed = "; ".join(f"{name}: {text}" for name, text in wrong.items())
    return Defect(f"The application settings are missing or wrong: {listed}.")


def _safe(url: str) -> bool:
    parts = split(url)
    if parts is None or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def _is_origin(url: str) -> bool:
    """Return whether a URL is only scheme, host and port, written as browsers write it."""
    parts = split(url)
    if parts is None or "@" in parts.netloc or not _safe(url):
        return False
    return url == f"{parts.scheme}://{parts.netloc}".lower()


def _is_vault(uri: str) -> bool:
    """Return whether a URI is the root of a vault over https; on this machine, with any port."""
    parts = split(uri)
    if parts is None or parts.scheme != "https" or parts.path not in {"", "/"}:
        return False
    if parts.query or parts.fragment or "@" in parts.netloc:
        return False
    return parts.hostname in LOOPBACK or bool(_VAULT.fullmatch(parts.netloc.lower()))
