"""What the template deploys in each variant, as Microsoft's own compiler evaluates it."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from shared.adapters.storage.tables.names import Table
from shared.domain.regions import COUNTRIES
from tests.infra.compiler import bicep, reduced
from tests.infra.compiler.tools import BICEP, left_out
from tests.infra.compiler.variants import DEPLOYER, MISTAKES, VARIANTS
from tests.infra.readers.bicep import decorator, read
from tests.unit.project.queues import declared_queues

pytestmark = pytest.mark.skipif(bool(left_out(BICEP)), reason=str(left_out(BICEP)))

# Docs: resource-name-rules.
LONGEST = {
    "Microsoft.ApiManagement/service": 50,
    "Microsoft.Insights/components": 260,
    "Microsoft.KeyVault/vaults": 24,
    "Microsoft.ManagedIdentity/userAssignedIdentities": 128,
    "Microsoft.OperationalInsights/workspaces": 63,
    "Microsoft.Resources/resourceGroups": 90,
    "Microsoft.Storage/storageAccounts": 24,
    "Microsoft.Web/serverfarms": 40,
    "Microsoft.Web/sites": 60,
}
# What Flex Consumption refuses or does not support (docs: flex-consumption-plan, limitations).
REFUSED = {"ftpsState", "endToEndEncryptionEnabled", "alwaysOn", "linuxFxVersion"}
# Microsoft's built-in roles (docs: built-in-roles): who gets which, and on what.
ROLES = {
    ("id-contactsync-prod-app", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "storageAccounts"),
    ("id-contactsync-prod-app", "974c5e8b-45b9-4653-ba55-5f855dd0fb88", "storageAccounts"),
    ("id-contactsync-prod-app", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3", "storageAccounts"),
    ("id-contactsync-prod-app", "4633458b-17de-408a-b874-0445c86b69e6", "vaults"),
    ("id-contactsync-prod-app", "3913510d-42f4-4e42-8a64-420c390055eb", "components"),
    ("id-contactsync-prod-gateway", "3913510d-42f4-4e42-8a64-420c390055eb", "components"),
    ("id-contactsync-prod-alerts", "73c42c96-874c-492b-b04d-ab87d138a893", "workspaces"),
    (DEPLOYER, "b86a8fe4-44ce-4948-aee5-eccb2c155cd7", "vaults"),
}


def of(variant: str, kind: str) -> list[Mapping[str, Any]]:
    found = [r for r in reduced.resources(variant) if r["type"].split("@")[0] == kind]
    assert found, f"{variant} has no {kind}"
    return found


def one(variant: str, kind: str) -> Mapping[str, Any]:
    (found,) = of(variant, kind)
    return found


def settings(variant: str) -> dict[str, str]:
    listed = one(variant, "Microsoft.Web/sites")["properties"]["siteConfig"]["appSettings"]
    return {setting["name"]: setting["value"] for setting in listed}


@pytest.mark.timeout(300)
def test_committed_snapshots_are_what_the_compiler_says() -> None:
    stale = [
        path.name
        for path, text in reduced.files()
        if not path.is_file() or path.read_text("utf-8") != text
    ]

    assert stale == [], "run `make snapshots`"
    assert {path.stem for path in reduced.FOLDER.iterdir()} == set(VARIANTS)


@pytest.mark.timeout(300)
def test_every_final_value_fits_azures_resource_types() -> None:
    distinct = {
        json.dumps(resource, sort_keys=True): resource
        for variant in VARIANTS
        for resource in reduced.resources(variant)
        # Not of a resource group: the group itself, and what Microsoft Graph keeps.
        if not resource["type"].startswith(("Microsoft.Graph/", "Microsoft.Resources/"))
    }

    assert bicep.literals(distinct.values()) == []
    wrong = {**one("default", "Microsoft.Web/serverfarms"), "kind": 5}
    assert len(bicep.literals([wrong])) == 1


@pytest.mark.parametrize("mistake", MISTAKES)
def test_settings_that_contradict_each_other_are_refused_with_all_remedies(mistake: str) -> None:
    given, words = MISTAKES[mistake]

    with pytest.raises(bicep.Refused) as refused:
        bicep.snapshot(given)

    assert [word for word in words if word not in str(refused.value)] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_names_fit_azures_limits_and_are_lower_case(variant: str) -> None:
    for resource in reduced.resources(variant):
        if limit := LONGEST.get(resource["type"].split("@")[0]):
            assert re.fullmatch(rf"[a-z][a-z0-9-]{{1,{limit - 1}}}", resource["name"])


def test_stamps_of_one_name_in_two_regions_share_no_name() -> None:
    first, second = (
        {(found["type"], found["id"]) for found in reduced.resources(variant) if "id" in found}
        for variant in ("default", "waiting-instances")
    )
    applications = {
        found["properties"]["uniqueName"]
        for variant in ("default", "waiting-instances")
        for found in of(variant, "Microsoft.Graph/applications")
    }

    assert first & second == set()
    assert len(applications) == 2


@pytest.mark.parametrize("variant", VARIANTS)
def test_everything_is_in_the_region_or_in_the_eu(variant: str) -> None:
    region = VARIANTS[variant]["AZURE_LOCATION"]
    elsewhere = {
        found["type"]: found["location"]
        for found in reduced.resources(variant)
        if found.get("location", region) not in {region, "global"}
    }

    assert region in COUNTRIES
    assert set(elsewhere) <= {"Microsoft.Insights/actionGroups"}
    assert set(elsewhere.values()) <= {"swedencentral", "germanywestcentral"}


def test_the_regions_are_those_of_the_app() -> None:
    allowed = decorator(read("main.bicep").parameters["location"], "allowed")

    assert allowed == list(COUNTRIES)


@pytest.mark.parametrize("variant", VARIANTS)
def test_roles_are_exactly_the_expected_ones_and_on_single_resources(variant: str) -> None:
    given = set()
    for found in of(variant, "Microsoft.Authorization/roleAssignments"):
        properties = found["properties"]
        who = re.search(r"userAssignedIdentities/([\w-]+)'", properties["principalId"])
        scope = found["id"].split("/providers/Microsoft.Authorization/")[0]
        given.add(
            (
                who[1] if who else properties["principalId"],
                properties["roleDefinitionId"].split("/")[-1],
                scope.split("/")[-2],
            )
        )
        assert len(properties["description"]) > 40
    environment = VARIANTS[variant]["AZURE_ENV_NAME"]
    expected = {(who.replace("prod", environment), role, on) for who, role, on in ROLES}

    assert given == expected


def test_storage_has_the_queues_and_tables_of_the_app() -> None:
    queues = of("default", "Microsoft.Storage/storageAccounts/queueServices/queues")
    tables = of("default", "Microsoft.Storage/storageAccounts/tableServices/tables")

    assert {queue["name"].split("/")[-1] for queue in queues} == {
        name for queue in declared_queues() for name in (queue, f"{queue}-poison")
    }
    assert {table["name"].split("/")[-1] for table in tables} == set(Table)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_app_has_nothing_that_flex_consumption_refuses(variant: str) -> None:
    app = one(variant, "Microsoft.Web/sites")
    text = json.dumps(app)
    scale = app["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    waiting = sum(group["instanceCount"] for group in scale["alwaysReady"])

    assert [word for word in REFUSED if f'"{word}"' in text] == []
    # Python's default is one call at a time, although all share one loop.
    assert scale["triggers"]["http"]["perInstanceConcurrency"] > 1
    if one(variant, "Microsoft.Web/serverfarms")["properties"]["zoneRedundant"]:
        assert waiting != 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_instances_together_stay_below_what_graph_accepts_from_one_app(variant: str) -> None:
    app = one(variant, "Microsoft.Web/sites")
    instances = app["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    given = settings(variant)
    queues = "AzureFunctionsJobHost__extensions__queues__"
    at_once = int(given[f"{queues}batchSize"]) + int(given[f"{queues}newBatchThreshold"])

    # Four requests at once in a mailbox, 80 ms each; 130,000 in ten seconds (docs: throttling).
    assert instances["maximumInstanceCount"] * at_once * 4 / 0.08 <= 13_000
    assert at_once >= 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_key_opens_storage_and_nothing_is_anonymous(variant: str) -> None:
    storage = one(variant, "Microsoft.Storage/storageAccounts")["properties"]
    vault = one(variant, "Microsoft.KeyVault/vaults")["properties"]

    assert (storage["allowSharedKeyAccess"], storage["allowBlobPublicAccess"]) == (False, False)
    assert (vault["enableRbacAuthorization"], vault["enablePurgeProtection"]) == (True, True)


def test_a_private_network_leaves_nothing_reachable_but_the_gateway() -> None:
    kinds = ("Storage/storageAccounts", "KeyVault/vaults", "Web/sites")
    access = [
        one("private-network", f"Microsoft.{kind}")["properties"]["publicNetworkAccess"]
        for kind in kinds
    ]

    assert access == ["Disabled"] * 3
    assert len(of("private-network", "Microsoft.Network/privateEndpoints")) == 5


@pytest.mark.parametrize("variant", VARIANTS)
def test_alerts_read_only_what_flex_consumption_publishes(variant: str) -> None:
    metrics = of(variant, "Microsoft.Insights/metricAlerts")

    # A metric alert on Http5xx is refused: Flex publishes no metric of responses.
    assert [found["name"].startswith("alert-not-ready-") for found in metrics] == [True]
    for rule in of(variant, "Microsoft.Insights/scheduledQueryRules"):
        assert rule["properties"]["actions"]["actionGroups"]


def test_a_single_company_pays_only_for_rules_that_it_needs() -> None:
    rules = {
        variant: {
            found["name"].removeprefix("alert-").split("-contactsync-")[0]
            for found in of(variant, "Microsoft.Insights/scheduledQueryRules")
        }
        for variant in ("default", "no-gateway")
    }

    assert rules["default"] - rules["no-gateway"] == {"consent-lost", "graph-throttled"}
    assert len(rules["default"]) == len(rules["no-gateway"]) + 2 == 11


def test_a_domain_of_ones_own_stays_bound_to_the_gateway() -> None:
    (bound,) = one("longest-names", "Microsoft.ApiManagement/service")["properties"][
        "hostnameConfigurations"
    ]

    assert (bound["hostName"], bound["type"]) == ("x.eu", "Proxy")
    assert bound["keyVaultId"].endswith("/secrets/portal-tls")
    assert settings("longest-names")["PORTAL_ORIGIN"] == "https://x.eu"


def test_without_a_gateway_the_app_answers_at_its_own_address() -> None:
    own = settings("no-gateway")

    assert own["GATEWAY_PRINCIPAL_ID"] == ""
    assert own["PORTAL_ORIGIN"].endswith(".azurewebsites.net")
    assert not [
        found
        for found in reduced.resources("no-gateway")
        if found["type"].startswith("Microsoft.ApiManagement/")
    ]


def test_a_single_tenant_and_its_deployer_own_the_application() -> None:
    audiences = [
        found["properties"].get("signInAudience")
        for found in of("no-gateway", "Microsoft.Graph/applications")
    ]
    owners = [
        found["properties"].get("owners", {}).get("relationships")
        for found in of("service-principal", "Microsoft.Graph/applications")
    ]

    assert "AzureADMyOrg" in audiences
    assert [DEPLOYER] in owners


def key(text: str) -> tuple[str, ...]:
    """What names a resource in an expression: its quoted parts, without the pattern."""
    return tuple(part for part in re.findall(r"'([^']*)'", text) if "{" not in part)


def writers() -> dict[str, dict[tuple[str, ...], set[tuple[str, ...]]]]:
    """What is written below each API of the gateway, with what each waits for."""
    found: dict[str, dict[tuple[str, ...], set[tuple[str, ...]]]] = {}
    todo = [json.loads(bicep.compiled().read_text("utf-8"))]
    while todo:
        resources = todo.pop()["resources"]
        for resource in resources.values() if isinstance(resources, dict) else resources:
            if nested := resource.get("properties", {}).get("template"):
                todo.append(nested)
            name = (resource["type"], *key(str(resource.get("name"))))
            if re.search(r"service/apis|products/apis", name[0]):
                api = "contact-sync-portal" if "contact-sync-portal" in name else "contact-sync"
                copy = (resource["copy"]["name"],) if "copy" in resource else name
                waits = (str(other) for other in resource.get("dependsOn", ()))
                found.setdefault(api, {})[copy] = {key(other) or (other,) for other in waits}
    return found


@pytest.mark.timeout(60)
def test_no_two_writers_change_one_api_at_once() -> None:
    found = writers()

    assert set(found) == {"contact-sync", "contact-sync-portal"}
    for waits in found.values():
        before = {name: _all_before(name, waits) for name in waits}
        # Of any two, one waits for the other.
        assert sorted(len(others) for others in before.values()) == list(range(len(waits)))


def _all_before[K](name: K, waits: Mapping[K, set[K]]) -> set[K]:
    found: set[K] = set()
    todo = [name]
    while todo:
        for other in waits[todo.pop()] & set(waits):
            if other not in found:
                found.add(other)
                todo.append(other)
    return found
