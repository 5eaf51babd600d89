"""The ways to deploy the template that are compiled and tested: the settings of each.

The settings are environment variables that `infra/main.bicepparam` reads.
"""

from collections.abc import Mapping
from typing import Final

SUBSCRIPTION: Final = "11111111-1111-4111-8111-111111111111"
TENANT: Final = "22222222-2222-4222-8222-222222222222"
DEPLOYER: Final = "33333333-3333-4333-8333-333333333333"

_ALWAYS: Final = {
    "AZURE_ENV_NAME": "prod",
    "AZURE_LOCATION": "westeurope",
    "PUBLISHER_EMAIL": "service@example.com",
    "ALERT_EMAIL": "operations@example.com",
    "AZURE_PRINCIPAL_ID": DEPLOYER,
}
_STANDARD: Final = {"API_MANAGEMENT_SKU": "StandardV2"}

VARIANTS: Final[Mapping[str, Mapping[str, str]]] = {
    name: _ALWAYS | settings
    for name, settings in {
        "default": {},
        "standard-v2": _STANDARD,
        "private-network": {**_STANDARD, "PRIVATE_NETWORK": "true"},
        "zones": {"ZONE_REDUNDANT": "true", "ALWAYS_READY_HTTP": "2"},
        "waiting-instances": {"ALWAYS_READY_HTTP": "1", "AZURE_LOCATION": "germanywestcentral"},
        "budget": {"MONTHLY_BUDGET": "100", "BUDGET_START": "2027-01-01"},
        "own-application": {
            "CREATE_ENTRA_APPLICATION": "false",
            "ENTRA_CLIENT_ID": "44444444-4444-4444-8444-444444444444",
        },
        "service-principal": {"AZURE_PRINCIPAL_TYPE": "ServicePrincipal"},
        "no-locks": {"LOCK_DATA": "false", "RECOVER_DELETED": "true", "RECOVER_GATEWAY": "true"},
        "no-gateway": {
            "API_MANAGEMENT_SKU": "None",
            "PUBLISHER_EMAIL": "",
            "SINGLE_TENANT": "true",
        },
        "longest-names": {
            "AZURE_ENV_NAME": "production-1",
            "CUSTOM_PORTAL_ORIGIN": "https://x.eu",
            "PORTAL_CERTIFICATE": "https://kv-x.vault.azure.net/secrets/portal-tls",
        },
    }.items()
}

MISTAKES: Final[Mapping[str, tuple[Mapping[str, str], tuple[str, ...]]]] = {
    name: (_ALWAYS | settings, expected)
    for name, (settings, expected) in {
        "a dot and an underscore": ({"AZURE_ENV_NAME": "my_env.x"}, ("lower case",)),
        "a hyphen at the end": ({"AZURE_ENV_NAME": "prod-"}, ("lower case",)),
        "Standard v2 in Spain": ({**_STANDARD, "AZURE_LOCATION": "spaincentral"}, ("Spain",)),
        "an address without https": (
            {"CUSTOM_PORTAL_ORIGIN": "contacts.example", "PORTAL_CERTIFICATE": "https://kv-x"},
            ("CUSTOM_PORTAL_ORIGIN",),
        ),
        "capitals": (
            {"CUSTOM_PORTAL_ORIGIN": "HTTPS://contacts.example"},
            ("CUSTOM_PORTAL_ORIGIN",),
        ),
        "no name": ({"CUSTOM_PORTAL_ORIGIN": "https://"}, ("CUSTOM_PORTAL_ORIGIN",)),
        "a slash at the end": (
            {"CUSTOM_PORTAL_ORIGIN": "https://contacts.example/"},
            ("CUSTOM_PORTAL_ORIGIN",),
        ),
        "several at once": (
            {
                "AZURE_ENV_NAME": "Prod",
                "PRIVATE_NETWORK": "true",
                "PUBLISHER_EMAIL": "",
                "ALERT_EMAIL": "",
                "ZONE_REDUNDANT": "true",
                "ALWAYS_READY_HTTP": "1",
                "CREATE_ENTRA_APPLICATION": "false",
                "MONTHLY_BUDGET": "5",
                "PORTAL_CERTIFICATE": "https://kv-x.vault.azure.net/secrets/portal-tls",
            },
            (
                "lower case",
                "StandardV2",
                "PUBLISHER_EMAIL",
                "CUSTOM_PORTAL_ORIGIN",
                "ALERT_EMAIL",
                "alwaysReadyHttp",
                "appClientId",
                "budgetStart",
            ),
        ),
    }.items()
}
"""Settings that contradict each other, with words of the messages."""
