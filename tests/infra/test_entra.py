"""The app registration matches the code that relies on it."""

import re

from shared.adapters.entra import access_tokens
from shared.domain.tenancy.permissions import PERMISSIONS
from shared.services.tenancy.joining import CONSENTED, SIGNED_IN
from shared.web.admission import Role
from tests.infra.readers.bicep import INFRA, Resource, read
from tests.local.entra.tokens import EXCHANGE_AUDIENCE, GRAPH_PERMISSIONS

# From Microsoft's Graph permissions reference.
IDS = {
    "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
    "GroupMember.Read.All": "98830695-27a2-44f7-8c18-0c3ebc9698f6",
    "OrgContact.Read.All": "e1a88a34-94c4-4418-be12-c87b00e26bea",
    "Contacts.ReadWrite": "6918b873-d17a-4dc1-b314-35f528134491",
    "MailboxSettings.ReadWrite": "6931bccd-447a-43d1-b442-00a195474933",
}
SIGNING_IN = {"37f7f235-527c-4136-accd-4a02d197296e", "14dad69e-099b-42c9-810b-d002981feec1"}
TEXT = "".join(
    (INFRA / f"modules/{name}.bicep").read_text("utf-8") for name in ("entra", "entra-trust")
)


def application() -> Resource:
    return next(r for r in read("modules/entra.bicep").resources if r.name == "application")


def test_requested_permissions_match_the_app_and_the_simulator() -> None:
    asked = read("modules/entra.bicep").variables["permissions"]["value"]

    assert {p["id"] for p in asked if p["type"] == "Role"} == set(IDS.values())
    assert {p["id"] for p in asked if p["type"] == "Scope"} == SIGNING_IN
    assert set(IDS) == set(GRAPH_PERMISSIONS) == {p.name for p in PERMISSIONS}


def test_redirect_uris_match_the_portal_routes() -> None:
    uris = application().config["web"]["redirectUris"]

    assert uris == [f"${{portalOrigin}}{path}" for path in (SIGNED_IN, CONSENTED, "/")]


def test_token_settings_match_what_the_app_checks() -> None:
    config = application().config

    assert config["api"]["requestedAccessTokenVersion"] == 2
    assert config["groupMembershipClaims"] == "DirectoryRole"
    for token in ("idToken", "accessToken"):
        assert [claim["name"] for claim in config["optionalClaims"][token]] == ["auth_time"]
    assert [s["value"] for s in config["api"]["oauth2PermissionScopes"]] == [access_tokens._SCOPE]
    assert [s["type"] for s in config["api"]["oauth2PermissionScopes"]] == ["Admin"]
    assert {role["value"] for role in config["appRoles"]} == set(Role)
    auditor = next(role for role in config["appRoles"] if role["value"] == Role.AUDITOR)
    assert auditor["allowedMemberTypes"] == ["Application"]


def test_ids_are_unique() -> None:
    ids = re.findall(r"id: '([0-9a-f-]{36})'", TEXT)

    assert len(ids) == len(set(ids))


def test_managed_identity_is_the_only_credential() -> None:
    assert f"'{EXCHANGE_AUDIENCE}'" in TEXT
    assert "passwordCredentials" not in TEXT
    assert "keyCredentials" not in TEXT
