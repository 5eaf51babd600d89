"""The template is consistent: each file parses, is used, gets its parameters and has no secrets.

The test environment has no Bicep compiler; these tests check what it would reject, as far as
possible.
"""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from shared.adapters.storage.tables.names import Table
from shared.domain.regions import COUNTRIES
from tests.infra.readers.bicep import INFRA, body, decorator, names, read, resources
from tests.unit.project.queues import declared_queues

OLDEST = {
    # What Microsoft's own modules used in August 2026, which every region has by now. The second
    # part is a date: a newer one is fine, an older one lacks what is set here or is being retired.
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


def called() -> list[tuple[str, str, str, Mapping[str, Any]]]:
    """Each module call: the calling file and symbol, the file called, and the parameters."""
    found = []
    for name in names():
        for symbol, module in read(name).modules.items():
            target = (INFRA / name).parent / module["detail"]["path"]
            path = target.resolve().relative_to(INFRA).as_posix()
            found.append((name, symbol, path, body(module).get("params", {})))
    return found


@pytest.mark.parametrize("name", names())
@pytest.mark.timeout(60)
def test_bicep_file_parses(name: str) -> None:
    found = read(name)

    assert found.resources or found.modules


def test_each_module_is_used() -> None:
    assert {target for _, _, target, _ in called()} | {"main.bicep"} == set(names())


@pytest.mark.parametrize(
    ("file", "symbol", "target", "given"),
    called(),
    ids=[f"{file}:{symbol}" for file, symbol, _, _ in called()],
)
def test_module_call_passes_all_required_and_no_unknown_parameters(
    file: str, symbol: str, target: str, given: Mapping[str, Any]
) -> None:
    takes = read(target).parameters
    needs = {name for name, found in takes.items() if found["default"] is None}

    assert (set(given) - set(takes), needs - set(given)) == (set(), set()), f"{file}:{symbol}"


@pytest.mark.parametrize("name", names())
def test_module_outputs_that_are_read_exist(name: str) -> None:
    text = (INFRA / name).read_text("utf-8")
    outputs = {symbol: read(target).outputs for file, symbol, target, _ in called() if file == name}
    read_ = re.findall(r"\b(\w+)!?\.outputs\.(\w+)", text)

    assert [(s, o) for s, o in read_ if o not in outputs.get(s, {})] == []


@pytest.mark.parametrize("name", names())
def test_conditional_resources_are_read_null_safely(name: str) -> None:
    text = (INFRA / name).read_text("utf-8")
    optional = re.findall(r"^(?:resource|module) (\w+) '[^']+' = if ", text, re.MULTILINE)

    # Without `!` or `.?` the compiler warns (BCP318).
    assert [one for one in optional if re.search(rf"\b{one}\.(?:outputs|properties)", text)] == []


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


def test_longest_resource_names_fit_azures_limits() -> None:
    main = read("main.bicep").parameters
    longest = {name: "x" * (decorator(p, "max_length") or 0) for name, p in main.items()}
    text = (INFRA / "main.bicep").read_text("utf-8")
    text = text.replace("${base}", "${namePrefix}-${environmentName}").replace("${suffix}", "x" * 8)
    text = re.sub(r"\$\{(\w+)\}", lambda m: longest.get(m[1]) or m[0], text)
    # Azure documentation, resource-name-rules.
    limits = {"st": 24, "kv-": 24, "func-": 60, "plan-": 60, "apim-": 50, "log-": 63, "rg-": 90}

    for prefix, limit in limits.items():
        made = re.findall(rf"'({prefix}x[x-]*)'", text)
        assert made, prefix
        assert max(map(len, made)) <= limit, prefix


def test_allowed_regions_match_the_app() -> None:
    assert decorator(read("main.bicep").parameters["location"], "allowed") == list(COUNTRIES)


def test_storage_has_the_queues_and_tables_of_the_app() -> None:
    variables = read("modules/storage.bicep").variables

    assert set(variables["tableNames"]["value"]) == set(Table)
    assert set(variables["queueNames"]["value"]) == {
        name for queue in declared_queues() for name in (queue, f"{queue}-poison")
    }
