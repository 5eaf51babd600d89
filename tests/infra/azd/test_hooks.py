"""Whatever fails, what the hooks of azd say is true, and it says what to do."""

import base64
import re
from pathlib import Path

import pytest

from tests.infra.azd.shell import SETTINGS, Shell

BEFORE = "infra/hooks/before-provision.sh"
KEY = 'infra/hooks/session-key.sh "$keyVaultName"'
VAULT = {**SETTINGS, "keyVaultName": "kv-contactsync-abc"}
PIPELINE = {**SETTINGS, "AZURE_PRINCIPAL_TYPE": ""}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def without(*names: str, **more: str) -> dict[str, str]:
    return {**{name: text for name, text in SETTINGS.items() if name not in names}, **more}


def test_nothing_is_stored_if_all_is_set(shell: Shell) -> None:
    told = shell.run(BEFORE)

    assert (told.code, told.err) == (0, "")
    assert not any(call.startswith("azd env set") for call in told.calls)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (without("PUBLISHER_EMAIL"), ["azd env set PUBLISHER_EMAIL"]),
        (
            without("PUBLISHER_EMAIL", "ALERT_EMAIL"),
            ["azd env set ALERT_EMAIL", "azd env set PUBLISHER_EMAIL"],
        ),
        (without("ALERT_EMAIL", API_MANAGEMENT_SKU="None"), ["azd env set ALERT_EMAIL"]),
    ],
)
def test_missing_settings_are_told_all_at_once(
    shell: Shell, settings: dict[str, str], told: list[str]
) -> None:
    found = shell.run(BEFORE, settings)

    assert found.code == 1
    assert [line.split(": ")[1].rsplit(" ", 1)[0] for line in found.err.splitlines()] == told


def test_without_a_gateway_no_publisher_is_needed(shell: Shell) -> None:
    assert shell.run(BEFORE, without("PUBLISHER_EMAIL", API_MANAGEMENT_SKU="None")).code == 0


def test_missing_az_and_missing_sign_in_are_told_apart(shell: Shell) -> None:
    shell.answer("az account show --query user.type", err="Please run 'az login'", times=1)
    signed_out = shell.run(BEFORE)
    shell.remove("az")
    missing = shell.run(BEFORE)

    assert (signed_out.code, missing.code) == (1, 1)
    assert "az login" in signed_out.err
    assert "Install az" in missing.err


def test_az_in_another_tenant_or_account_is_told(shell: Shell) -> None:
    shell.answer("az account show --subscription", err="doesn't exist in cloud", times=1)
    shell.answer("az ad signed-in-user", 0, out="somebody-else", times=1)
    told = shell.run(BEFORE)

    assert told.code == 1
    assert "az login --tenant" in told.err
    assert "different accounts" in told.err


def test_account_that_graph_does_not_name_is_no_error(shell: Shell) -> None:
    shell.answer("az ad signed-in-user", err="Insufficient privileges")

    assert shell.run(BEFORE).code == 0


def test_kind_of_a_deploying_pipeline_is_stored(shell: Shell) -> None:
    shell.answer("--query user.type", 0, out="servicePrincipal")
    told = shell.run(BEFORE, PIPELINE)

    assert told.code == 0
    assert "azd env set AZURE_PRINCIPAL_TYPE ServicePrincipal" in told.calls
    assert not any("signed-in-user" in call for call in told.calls)


def test_person_who_deploys_after_a_pipeline_is_stored_as_a_person(shell: Shell) -> None:
    told = shell.run(BEFORE, {**SETTINGS, "AZURE_PRINCIPAL_TYPE": "ServicePrincipal"})

    assert told.code == 0
    assert "azd env set AZURE_PRINCIPAL_TYPE User" in told.calls


def test_az_whose_subscription_is_of_another_tenant_is_told(shell: Shell) -> None:
    shell.answer("az account show --query tenantId", 0, out="another-tenant", times=1)
    told = shell.run(BEFORE)

    assert told.code == 1
    assert "az account set --subscription" in told.err


def test_month_of_a_budget_is_stored_once(shell: Shell) -> None:
    first = shell.run(BEFORE, {**SETTINGS, "MONTHLY_BUDGET": "50"})
    later = shell.run(BEFORE, {**SETTINGS, "MONTHLY_BUDGET": "50", "BUDGET_START": "2027-01-01"})

    (stored,) = (call for call in first.calls if "env set" in call)
    assert re.fullmatch(r"azd env set BUDGET_START 20\d\d-[01]\d-01", stored)
    assert not any("env set" in call for call in later.calls)


def test_private_network_is_told_before_it_stops_the_deployment(shell: Shell) -> None:
    told = shell.run(BEFORE, {**SETTINGS, "PRIVATE_NETWORK": "true"})

    assert told.code == 0
    assert "azd hooks run postprovision" in told.err


def test_key_is_written_once_and_renewed_on_request(shell: Shell) -> None:
    first = shell.run(KEY, VAULT)
    again = shell.run(KEY, VAULT)
    renewed = shell.run(f"{KEY} renew", VAULT)

    assert [told.code for told in (first, again, renewed)] == [0, 0, 0]
    assert "already has" in again.out
    assert len(first.keys) == len(again.keys) == 1
    assert len(set(renewed.keys)) == 2
    assert all(len(base64.urlsafe_b64decode(key)) == 32 for key in renewed.keys)


def test_key_is_in_no_argument_and_no_output_and_its_file_is_gone(shell: Shell) -> None:
    told = shell.run(KEY, VAULT)

    (key,) = told.keys
    assert key not in "".join([told.out, told.err, *told.calls])
    assert (shell.state / "mode").read_text().strip() == "600"
    assert not Path((shell.state / "file").read_text().strip()).exists()


def test_name_of_a_new_vault_is_waited_for(shell: Shell) -> None:
    shell.answer("secret list", err="Failed to resolve 'kv-x.vault.azure.net'", times=2)
    told = shell.run(KEY, VAULT)

    assert (told.code, len(told.keys)) == (0, 1)


def test_new_role_is_waited_for(shell: Shell) -> None:
    shell.answer("secret list", err="(Forbidden) ForbiddenByRbac", times=3)
    told = shell.run(KEY, VAULT)

    assert (told.code, len(told.keys)) == (0, 1)
    assert sum("secret list" in call for call in told.calls) == 4


def test_missing_role_is_told_after_ten_tries(shell: Shell) -> None:
    shell.answer("secret list", err="(Forbidden) ForbiddenByRbac")
    told = shell.run(KEY, VAULT)

    assert (told.code, told.keys) == (1, [])
    assert sum("secret list" in call for call in told.calls) == 10
    assert "Key Vault Secrets Officer" in told.err


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("(Forbidden) Public network access is disabled", "private network"),
        ("(Forbidden) ForbiddenByConnection", "private network"),
        ("AKV10032: Invalid issuer", "AKV10032"),
        ("SubscriptionNotFound", "SubscriptionNotFound"),
    ],
)
def test_what_waiting_does_not_mend_is_told_at_once(shell: Shell, answer: str, words: str) -> None:
    shell.answer("secret list", err=answer)
    told = shell.run(KEY, VAULT)

    assert (told.code, told.keys) == (1, [])
    assert sum("secret list" in call for call in told.calls) == 1
    assert words in told.err


@pytest.mark.parametrize("script", [BEFORE, KEY], ids=["before", "key"])
def test_no_failed_call_leads_to_a_false_statement(tmp_path: Path, script: str) -> None:
    settings = {**VAULT, "MONTHLY_BUDGET": "50"}
    calls = Shell(tmp_path / "all").run(script, settings).calls
    for number, call in enumerate(calls, 1):
        told = Shell(tmp_path / str(number)).run(script, settings, fail_at=number)

        assert told.code != 0 or "signed-in-user" in call, call
        assert ("Wrote" in told.out) == bool(told.keys), call
        assert list((tmp_path / str(number) / "tmp").iterdir()) == [], call
    assert len(calls) >= 3
