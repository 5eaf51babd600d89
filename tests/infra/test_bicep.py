"""What the compiler lets pass: each file is used, parameters are described, nothing is a secret.

What the compiler refuses, and what the template deploys, is checked in `compiler/`.
"""

import re
from typing import Any

import pytest

from tests.infra.readers.bicep import INFRA, decorator, names, read, resources

OLDEST = {
    # What Microsoft's own modules used in August 2026, which every region has by now. The second
    # part is a date: a newer one is fine, an older one lacks what is set here or is being retired.
    "Microsoft.AlertsManagement/smartDetectorAlertRules": "2021-04-01",
    "Microsoft.ApiManagement": "2024-05-01",
    "Microsoft.Authorization/locks": "2020-05-01",
    "Microsoft.Authorization/roleAssignments": "2022-04-01",
    "Microsoft.Consumption/budgets": "2023-11-01",
    "Microsoft.Insights/actionGroups": "2023-01-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.Insights/diagnosticSettings": "2021-05-01-preview",
    "Microsoft.Insights/metricAlerts": "2018-03-01",
    "Microsoft.Insights/scheduledQueryRules": "2023-12-01",
    "Microsoft.Insights/webtests": "2022-06-15",
    "Microsoft.Insights/workbooks": "2023-06-01",
    "Microsoft.KeyVault/vaults": "2025-05-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2024-11-30",
    "Microsoft.Network": "2025-05-01",
    "Microsoft.Network/privateDnsZones": "2024-06-01",
    "Microsoft.OperationalInsights/workspaces": "2025-07-01",
    "Microsoft.Resources/resourceGroups": "2025-04-01",
    "Microsoft.Storage/storageAccounts": "2025-06-01",
    "Microsoft.Web": "2025-03-01",
}
PREVIEW = {"Microsoft.Insights/diagnosticSettings"}  # it has no other version
SECRET = re.compile(r"(secret|password|(?<!public)key|token|credential)s?$", re.IGNORECASE)
# Names that look like secrets but are not.
NO_SECRETS = {"appCredential"}
NOT_SUPPORTED = ("siteUpdateStrategy", "listKeys(", "listSecrets(", "newGuid(", "utcNow(")


@pytest.mark.parametrize("name", names())
@pytest.mark.timeout(60)
def test_bicep_file_parses(name: str) -> None:
    found = read(name)

    assert found.resources or found.modules


def test_each_module_is_used() -> None:
    text = "".join((INFRA / name).read_text("utf-8") for name in names())
    called = {
        path.split("/")[-1] for path in re.findall(r"^ *module \w+ '([^']+)'", text, re.MULTILINE)
    }

    assert {name.split("/")[-1] for name in names()} - called == {"main.bicep"}


@pytest.mark.parametrize("name", names())
def test_each_parameter_is_described_and_used(name: str) -> None:
    text = (INFRA / name).read_text("utf-8")
    parameters = read(name).parameters

    assert [one for one, p in parameters.items() if not decorator(p, "description")] == []
    assert [one for one in parameters if len(re.findall(rf"\b{one}\b", text)) < 2] == []


@pytest.mark.parametrize("name", names())
def test_no_parameter_or_output_is_a_secret(name: str) -> None:
    found = read(name)
    secret = [one for one in (*found.parameters, *found.outputs) if SECRET.search(one)]

    assert set(secret) <= NO_SECRETS
    assert [what for what in NOT_SUPPORTED if what in (INFRA / name).read_text("utf-8")] == []


@pytest.mark.parametrize("resource", list(resources()), ids=lambda resource: resource.where)
def test_api_version_is_released_and_recent(resource: Any) -> None:
    kind = resource.type.split("@")[0]
    if kind.startswith("Microsoft.Graph/"):
        assert resource.version == "v1.0"
        return
    oldest = max((key for key in OLDEST if kind.startswith(key)), key=len, default=None)
    assert oldest, f"{kind} is not in the list"
    assert resource.version[:10] >= OLDEST[oldest][:10]
    assert "preview" not in resource.version or kind in PREVIEW


def test_parameters_file_sets_all_required_and_no_unknown_parameters() -> None:
    text = (INFRA / "main.bicepparam").read_text("utf-8")
    given = set(re.findall(r"^param (\w+) =", text, re.MULTILINE))
    takes = read("main.bicep").parameters

    assert given <= set(takes)
    assert {name for name, p in takes.items() if p["default"] is None} <= given
