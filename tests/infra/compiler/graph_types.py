"""The types of the Microsoft Graph resources in the template, in the Bicep compiler's own format.

Microsoft serves them from a registry, which not every machine can reach. These are our own words
for the parts that the template uses (docs: graph/templates/bicep/reference); a deployment uses
Microsoft's.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

NAME: Final = "MicrosoftGraph"
VERSION: Final = "1.0.0"

# How a property may be used (bicep-types, ObjectTypePropertyFlags).
_OPTIONAL: Final = 0
_REQUIRED: Final = 1
_READ_ONLY: Final = 2
_IDENTIFIER: Final = 1 | 16
_KNOWN_IDENTIFIER: Final = 1 | 8 | 16

type _Reference = dict[str, str]


class _Types:
    """A list of types that refer to each other by their place."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self.text = self._add({"$type": "StringType"})
        self.flag = self._add({"$type": "BooleanType"})
        self.number = self._add({"$type": "IntegerType"})
        self.texts = self.many(self.text)

    def many(self, item: _Reference) -> _Reference:
        return self._add({"$type": "ArrayType", "itemType": item})

    def one_of(self, *values: str) -> _Reference:
        literals = [self._add({"$type": "StringLiteralType", "value": value}) for value in values]
        return self._add({"$type": "UnionType", "elements": literals})

    def thing(self, name: str, properties: Mapping[str, tuple[_Reference, int]]) -> _Reference:
        typed = {key: {"type": kind, "flags": flags} for key, (kind, flags) in properties.items()}
        return self._add({"$type": "ObjectType", "name": name, "properties": typed})

    def resource(self, name: str, body: _Reference) -> _Reference:
        # 0: at any scope.
        return self._add(
            {"$type": "ResourceType", "name": name, "scopeType": 0, "body": body, "flags": 0}
        )

    def _add(self, found: dict[str, Any]) -> _Reference:
        self.all.append(found)
        return {"$ref": f"#/{len(self.all) - 1}"}


def write(folder: Path) -> Path:
    """Write the types into a folder; return the index that `bicep publish-extension` takes."""
    types = _Types()
    resources = {
        "Microsoft.Graph/applications@v1.0": _application(types),
        "Microsoft.Graph/applications/federatedIdentityCredentials@v1.0": _credential(types),
        "Microsoft.Graph/servicePrincipals@v1.0": _principal(types),
    }
    listed = {
        name: {"$ref": "types.json" + types.resource(name, body)["$ref"]}
        for name, body in resources.items()
    }
    settings = {
        "name": NAME,
        "version": VERSION,
        "isSingleton": False,
        "configurationType": {"$ref": "types.json" + types.thing("config", {})["$ref"]},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "types.json").write_text(json.dumps(types.all), "utf-8")
    index = folder / "index.json"
    index.write_text(
        json.dumps({"resources": listed, "resourceFunctions": {}, "settings": settings}), "utf-8"
    )
    return index


def _application(t: _Types) -> _Reference:
    text, flag = (t.text, _OPTIONAL), (t.flag, _OPTIONAL)
    needed = (t.text, _REQUIRED)
    scope = t.thing(
        "permissionScope",
        {
            "id": needed,
            "value": text,
            "type": (t.one_of("Admin", "User"), _OPTIONAL),
            "isEnabled": flag,
            "adminConsentDisplayName": text,
            "adminConsentDescription": text,
            "userConsentDisplayName": text,
            "userConsentDescription": text,
        },
    )
    api = t.thing(
        "apiApplication",
        {
            "requestedAccessTokenVersion": (t.number, _OPTIONAL),
            "oauth2PermissionScopes": (t.many(scope), _OPTIONAL),
        },
    )
    role = t.thing(
        "appRole",
        {
            "id": needed,
            "value": text,
            "displayName": needed,
            "description": needed,
            "allowedMemberTypes": (t.many(t.one_of("Application", "User")), _REQUIRED),
            "isEnabled": flag,
        },
    )
    access = t.thing(
        "resourceAccess", {"id": needed, "type": (t.one_of("Role", "Scope"), _REQUIRED)}
    )
    permissions = t.thing(
        "requiredResourceAccess",
        {"resourceAppId": needed, "resourceAccess": (t.many(access), _REQUIRED)},
    )
    implicit = t.thing(
        "implicitGrantSettings",
        {"enableAccessTokenIssuance": flag, "enableIdTokenIssuance": flag},
    )
    web = t.thing(
        "webApplication",
        {
            "homePageUrl": text,
            "logoutUrl": text,
            "redirectUris": (t.texts, _OPTIONAL),
            "implicitGrantSettings": (implicit, _OPTIONAL),
        },
    )
    lock = t.thing("servicePrincipalLock", {"isEnabled": flag, "allProperties": flag})
    owners = t.thing(
        "relationship",
        {
            "relationshipSemantics": (t.one_of("append", "replace"), _OPTIONAL),
            "relationships": (t.texts, _REQUIRED),
        },
    )
    claim = t.thing("claim", {"name": (t.text, _REQUIRED)})
    claims = t.thing(
        "optionalClaims",
        {"idToken": (t.many(claim), _OPTIONAL), "accessToken": (t.many(claim), _OPTIONAL)},
    )
    return t.thing(
        "Microsoft.Graph/applications",
        {
            "uniqueName": (t.text, _KNOWN_IDENTIFIER),
            "displayName": needed,
            "signInAudience": (t.one_of("AzureADMyOrg", "AzureADMultipleOrgs"), _OPTIONAL),
            "groupMembershipClaims": text,
            "optionalClaims": (claims, _OPTIONAL),
            "identifierUris": (t.texts, _OPTIONAL),
            "owners": (owners, _OPTIONAL),
            "api": (api, _OPTIONAL),
            "appRoles": (t.many(role), _OPTIONAL),
            "requiredResourceAccess": (t.many(permissions), _OPTIONAL),
            "web": (web, _OPTIONAL),
            "servicePrincipalLockConfiguration": (lock, _OPTIONAL),
            "id": (t.text, _READ_ONLY),
            "appId": (t.text, _READ_ONLY),
        },
    )


def _credential(t: _Types) -> _Reference:
    return t.thing(
        "Microsoft.Graph/applications/federatedIdentityCredentials",
        {
            "name": (t.text, _IDENTIFIER),
            "description": (t.text, _OPTIONAL),
            "issuer": (t.text, _REQUIRED),
            "subject": (t.text, _REQUIRED),
            "audiences": (t.texts, _REQUIRED),
            "id": (t.text, _READ_ONLY),
        },
    )


def _principal(t: _Types) -> _Reference:
    return t.thing(
        "Microsoft.Graph/servicePrincipals",
        {
            "appId": (t.text, _IDENTIFIER),
            "appRoleAssignmentRequired": (t.flag, _OPTIONAL),
            "tags": (t.texts, _OPTIONAL),
            "id": (t.text, _READ_ONLY),
        },
    )
