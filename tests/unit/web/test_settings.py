"""Settings are validated together: every wrong one is named, and no value is shown."""

import json
import logging
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.loopback import is_loopback
from shared.domain.errors import Defect
from shared.wiring.settings import Settings, check_at_load
from tests.sources import ROOT

LOCAL = "https://127.0.0.1:8443"
DEPLOYED = {
    "AzureWebJobsStorage__tableServiceUri": "https://x.table.core.windows.net",
    "AzureWebJobsStorage__queueServiceUri": "https://x.queue.core.windows.net",
    "APP_CLIENT_ID": "app",
    "MANAGED_IDENTITY_CLIENT_ID": "identity",
    "KEY_VAULT_URI": "https://contact-sync.vault.azure.net",
    "PORTAL_ORIGIN": "https://contacts.example",
}
OBJECT = "9a0c1d2e-0000-4000-8000-00000000a91c"
SIMULATED = {**DEPLOYED, "ENTRA_AUTHORITY": LOCAL, "APP_CREDENTIAL": "client-secret"}
VAULT = "https://contact-sync.vault.azure.net"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"APP_CREDENTIAL": "managed-identity"},
        {"APP_CREDENTIAL": "key-vault-secret", "KEY_VAULT_URI": VAULT},
        {"APP_CREDENTIAL": "key-vault-certificate", "KEY_VAULT_URI": f"{VAULT}/"},
        {"APP_CREDENTIAL": "key-vault-secret", "KEY_VAULT_URI": "https://a-b.vault.azure.cn"},
        {"APP_CREDENTIAL": "key-vault-secret", "KEY_VAULT_URI": LOCAL},
        {
            "APP_CREDENTIAL": "key-vault-secret",
            "KEY_VAULT_URI": VAULT,
            "MANAGED_IDENTITY_CLIENT_ID": "",
        },
        {
            "APP_CREDENTIAL": "client-secret",
            "APP_CLIENT_SECRET": "s",
            "ENTRA_AUTHORITY": LOCAL,
            "GRAPH_ENDPOINT": "http://127.0.0.1:80/v1.0",
        },
    ],
)
def test_each_credential_is_accepted_with_the_settings_it_needs(more: Mapping[str, str]) -> None:
    settings = Settings.from_environment({**DEPLOYED, **more})

    assert settings.credential == more.get("APP_CREDENTIAL", "managed-identity")


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        (
            {},
            ["AzureWebJobsStorage", "APP_CLIENT_ID", "MANAGED_IDENTITY_CLIENT_ID",
             "KEY_VAULT_URI", "PORTAL_ORIGIN"],
        ),
        ({**DEPLOYED, "KEY_VAULT_URI": ""}, ["KEY_VAULT_URI"]),
        ({**DEPLOYED, "PORTAL_ORIGIN": ""}, ["PORTAL_ORIGIN"]),
        ({**DEPLOYED, "PORTAL_ORIGIN": "http://contacts.example"}, ["PORTAL_ORIGIN"]),
        ({**DEPLOYED, "PORTAL_ORIGIN": "https://contacts.example/"}, ["PORTAL_ORIGIN"]),
        ({**DEPLOYED, "PORTAL_ORIGIN": "https://contacts.example/x"}, ["PORTAL_ORIGIN"]),
        ({**DEPLOYED, "PORTAL_ORIGIN": "https://u@contacts.example"}, ["PORTAL_ORIGIN"]),
        ({**DEPLOYED, "PORTAL_ORIGIN": "https://Contacts.example"}, ["PORTAL_ORIGIN"]),
        ({**DEPLOYED, "SESSION_KEY": "s"}, ["SESSION_KEY"]),
        ({**DEPLOYED, "APP_CLIENT_ID": ""}, ["APP_CLIENT_ID"]),
        ({**DEPLOYED, "MANAGED_IDENTITY_CLIENT_ID": ""}, ["MANAGED_IDENTITY_CLIENT_ID"]),
        ({**DEPLOYED, "APP_CREDENTIAL": "password"}, ["APP_CREDENTIAL"]),
        (
            {**DEPLOYED, "APP_CREDENTIAL": "key-vault-secret", "KEY_VAULT_URI": ""},
            ["KEY_VAULT_URI"],
        ),
        (
            {**SIMULATED, "APP_CREDENTIAL": "key-vault-certificate", "KEY_VAULT_URI": ""},
            ["KEY_VAULT_URI"],
        ),
        ({**DEPLOYED, "APP_CREDENTIAL": "client-secret"}, ["APP_CREDENTIAL"]),
        (SIMULATED, ["APP_CLIENT_SECRET"]),
        ({**DEPLOYED, "APP_CLIENT_SECRET": "s"}, ["APP_CLIENT_SECRET"]),
        ({**DEPLOYED, "ENTRA_AUTHORITY": "http://login.example"}, ["ENTRA_AUTHORITY"]),
        ({**DEPLOYED, "GRAPH_ENDPOINT": "ftp://127.0.0.1"}, ["GRAPH_ENDPOINT"]),
        ({**DEPLOYED, "APP_KEY_VAULT_SECRET": "a/b"}, ["APP_KEY_VAULT_SECRET"]),
        ({**DEPLOYED, "DATA_REGION": "eastus"}, ["DATA_REGION"]),
        ({**DEPLOYED, "DATA_REGION": "WestEurope"}, ["DATA_REGION"]),
        ({**DEPLOYED, "TRIAL_DAYS": "-1"}, ["TRIAL_DAYS"]),
        ({**DEPLOYED, "SIGN_IN_TENANT": "contoso.com"}, ["SIGN_IN_TENANT"]),
        ({**DEPLOYED, "GATEWAY_PRINCIPAL_ID": OBJECT}, ["HOME_TENANT_ID"]),
        (
            {**DEPLOYED, "GATEWAY_PRINCIPAL_ID": "apim", "HOME_TENANT_ID": "home"},
            ["GATEWAY_PRINCIPAL_ID"],
        ),
        (
            {"APP_CREDENTIAL": "key-vault-secret", "TRIAL_DAYS": "x", "GRAPH_ENDPOINT": "x"},
            ["AzureWebJobsStorage", "APP_CLIENT_ID", "KEY_VAULT_URI", "TRIAL_DAYS",
             "GRAPH_ENDPOINT", "PORTAL_ORIGIN"],
        ),
    ],
)  # fmt: skip
def test_all_wrong_settings_are_named_in_one_error(
    environment: Mapping[str, str], named: list[str]
) -> None:
    with pytest.raises(Defect) as caught:
        Settings.from_environment(environment)

    found = str(caught.value).split(": ", 1)[1].split("; ")
    assert {part.split(": ")[0] for part in found} == set(named)


@pytest.mark.parametrize(
    "uri",
    [
        "http://contact-sync.vault.azure.net",
        "http://127.0.0.1:8443",
        "https://contact-sync.vault.azure.net.evil.example",
        "https://vault.azure.net",
        "https://contact-sync.vault.azure.net:8443",
        "https://contact-sync.vault.azure.net/secrets/x",
        "https://contact-sync.vault.azure.net?x=y",
        "https://contact-sync.vault.azure.net@evil.example",
        "https://evil.example\\.vault.azure.net",
        "https://contact-sync.vault.azure.net:port",
        "https://[::1",
        "contact-sync.vault.azure.net",
    ],
)
def test_only_key_vault_uris_are_accepted(uri: str) -> None:
    with pytest.raises(Defect, match="KEY_VAULT_URI"):
        Settings.from_environment({**DEPLOYED, "KEY_VAULT_URI": uri})


NAMES = [
    "AzureWebJobsStorage", *DEPLOYED, "ENTRA_AUTHORITY", "GRAPH_ENDPOINT", "APP_CREDENTIAL",
    "APP_CLIENT_SECRET", "APP_KEY_VAULT_SECRET", "TRIAL_DAYS", "SESSION_KEY",
]  # fmt: skip
CHOICES = ["managed-identity", "key-vault-certificate", "key-vault-secret", "client-secret"]
VALUES = st.sampled_from(["", LOCAL, VAULT, "30", *CHOICES]) | st.text("äX7§ /:\\@[", min_size=8)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_settings_are_valid_or_rejected_without_showing_a_value(
    environment: dict[str, str],
) -> None:
    settings, refusal = None, ""
    try:
        settings = Settings.from_environment(environment)
    except Defect as error:
        refusal = str(error)
    odd = [value for value in environment.values() if set(value) & set("ä§X7")]
    assert not [value for value in odd if value in refusal]
    if settings is None:
        return
    if settings.credential.startswith("key-vault-"):
        assert settings.key_vault_uri
    if settings.client_secret or settings.session_key:
        assert is_loopback(settings.entra_authority)
    assert settings.credential != "client-secret" or settings.client_secret


def test_repr_of_settings_contains_no_secret() -> None:
    secrets = {"APP_CLIENT_SECRET": "hush-1", "SESSION_KEY": "hush-2"}
    given = {**SIMULATED, **secrets, "AzureWebJobsStorage": "hush-3"}

    assert "hush" not in repr(Settings.from_environment(given))


def test_check_at_load_needs_no_settings_outside_a_host() -> None:
    check_at_load({})


def test_check_at_load_raises_and_logs_wrong_settings_under_a_host(
    caplog: pytest.LogCaptureFixture,
) -> None:
    check_at_load({**DEPLOYED, "WEBSITE_HOSTNAME": "x.azurewebsites.net"})
    with pytest.raises(Defect, match="APP_CLIENT_ID"):
        check_at_load({"WEBSITE_HOSTNAME": "x.azurewebsites.net"})

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "APP_CLIENT_ID" in record.getMessage()


def test_local_settings_example_is_valid() -> None:
    example = json.loads((ROOT / "local.settings.example.json").read_text("utf-8"))

    Settings.from_environment(example["Values"])
