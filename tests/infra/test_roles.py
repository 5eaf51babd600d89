"""Roles are named in one module, and assigned before what needs them starts.

Who gets which is checked in `compiler/`.
"""

import re

import pytest

from tests.infra.readers.bicep import INFRA, names, read

# Microsoft's built-in roles (docs: built-in-roles).
ROLES = {
    "storageBlobDataOwner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "storageQueueDataContributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "storageTableDataContributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "keyVaultSecretsUser": "4633458b-17de-408a-b874-0445c86b69e6",
    "keyVaultSecretsOfficer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "monitoringMetricsPublisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "logAnalyticsReader": "73c42c96-874c-492b-b04d-ab87d138a893",
}


def test_role_ids_are_those_of_microsofts_built_in_roles() -> None:
    assert read("modules/roles.bicep").variables["roles"]["value"] == ROLES


@pytest.mark.parametrize("name", names())
def test_role_ids_appear_only_in_the_roles_module(name: str) -> None:
    ids = re.findall(
        r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", (INFRA / name).read_text("utf-8")
    )

    assert name == "modules/roles.bicep" or set(ids) & set(ROLES.values()) == set()


@pytest.mark.parametrize("started", ["functions", "gateway", "alerts"])
def test_what_uses_an_identity_depends_on_the_role_assignments(started: str) -> None:
    text = (INFRA / "main.bicep").read_text("utf-8")
    block = text.split(f"\nmodule {started} ")[1].split("\n}\n")[0]

    assert re.search(r"dependsOn: \[\s+roles\s+\]", block)
