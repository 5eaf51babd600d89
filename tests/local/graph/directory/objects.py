"""The directory of a tenant: users, groups, organizational contacts, and requests for them.

Docs: user-list, group-list-transitivemembers, orgcontact-list, directoryobject-getbyids.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from tests.local.graph.directory.odata import Object, advanced, collection, selected
from tests.local.graph.protocol import Answer, GraphError, Request, not_found, unsupported

USER_FIELDS = [
    "businessPhones",
    "displayName",
    "givenName",
    "id",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
]
_HIDDEN_ROLE = "Member.Read.Hidden"
GROUP_FIELDS = [
    "id",
    "createdDateTime",
    "description",
    "displayName",
    "groupTypes",
    "mail",
    "mailEnabled",
    "mailNickname",
    "proxyAddresses",
    "securityEnabled",
    "visibility",
]
ORG_CONTACT_FIELDS = [
    "id",
    "addresses",
    "companyName",
    "department",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mailNickname",
    "phones",
    "proxyAddresses",
    "surname",
]
ORGANIZATION_FIELDS = ["id", "displayName", "verifiedDomains"]
USER_ROLES = ("User.Read.All", "User.ReadWrite.All", "Directory.Read.All")
GROUP_ROLES = ("GroupMember.Read.All", "Group.Read.All", "Directory.Read.All")
ORG_CONTACT_ROLES = ("OrgContact.Read.All", "Directory.Read.All")
ORGANIZATION_ROLES = ("Directory.Read.All", "Organization.Read.All")
TYPES = {
    "microsoft.graph.user": "users",
    "microsoft.graph.group": "groups",
    "microsoft.graph.orgcontact": "contacts",
}
_SINGULAR = {"users": "user", "groups": "group", "contacts": "orgContact"}
DENIED = "Authorization_RequestDenied"
_GUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


@dataclass(slots=True)
class Directory:
    """The objects of one tenant by id, and its verified domains, the default one first."""

    users: dict[str, Object] = field(default_factory=dict)
    groups: dict[str, Object] = field(default_factory=dict)
    contacts: dict[str, Object] = field(default_factory=dict)
    domains: list[str] = field(default_factory=list)

    def kind_of(self, id_: str) -> str | None:
        """Return the collection that holds an id."""
        return next((kind for kind in TYPES.values() if id_ in getattr(self, kind)), None)

    def user(self, id_: str) -> Object | None:
        """Return a user by id or userPrincipalName."""
        if id_ in self.users:
            return self.users[id_]
        folded = id_.casefold()
        return next(
            (
                u
                for u in self.users.values()
                if folded in {u["id"].casefold(), str(u.get("userPrincipalName", "")).casefold()}
            ),
            None,
        )

    def members(self, group: str, *, nested: bool) -> list[tuple[str, Object]]:
        """Return a group's members with their collection, each once even if groups form a cycle."""
        found: dict[str, tuple[str, Object]] = {}
        waiting = [group]
        seen = {group}
        while waiting:
            for member in self.groups[waiting.pop()].get("members", ()):
                kind = self.kind_of(member)
                if kind is None or member in found:
                    continue
                found[member] = (kind, getattr(self, kind)[member])
                if nested and kind == "groups" and member not in seen:
                    seen.add(member)
                    waiting.append(member)
        found.pop(group, None)
        return list(found.values())


class DirectoryApi:
    """Answers requests for directory objects."""

    def __init__(self, base: str) -> None:
        self.base = base

    def list_users(self, directory: Directory, request: Request) -> Answer:
        request.require(DENIED, *USER_ROLES)
        if "$expand" in request.query and advanced(request):
            raise unsupported("Expect simple name=value query, but observe property 'Expand'.")
        return Answer(200, self._list(directory, request, "users", USER_FIELDS))

    def list_groups(self, directory: Directory, request: Request) -> Answer:
        request.require(DENIED, *GROUP_ROLES)
        return Answer(200, self._list(directory, request, "groups", GROUP_FIELDS))

    def list_org_contacts(self, directory: Directory, request: Request) -> Answer:
        request.require(DENIED, *ORG_CONTACT_ROLES)
        search = request.query.get("$search", "")
        other = set(re.findall(r'"(\w+):', search)) - {"displayName"}
        if other and request.quirk("contactSearch") == "displayName":
            raise unsupported(f"Search is not supported on {', '.join(sorted(other))}.")
        return Answer(200, self._list(directory, request, "contacts", ORG_CONTACT_FIELDS))

    def list_organizations(self, directory: Directory, request: Request) -> Answer:
        request.require(DENIED, *ORGANIZATION_ROLES)
        names = (str(u.get("userPrincipalName") or "") for u in directory.users.values())
        known = directory.domains or dict.fromkeys(n.rpartition("@")[2] for n in names if n)
        domains = [
            {
                "capabilities": "Email, OfficeCommunicationsOnline",
                "isDefault": number == 0,
                "isInitial": name.endswith(".onmicrosoft.com"),
                "name": name,
                "type": "Managed",
            }
            for number, name in enumerate(known)
        ]
        own = {"id": request.tenant, "displayName": None, "verifiedDomains": domains}
        chosen = selected(request, ORGANIZATION_FIELDS)
        return Answer(200, {"value": [{name: own.get(name) for name in chosen}]})

    def get_user(self, directory: Directory, request: Request, id_: str) -> Answer:
        request.require(DENIED, *USER_ROLES)
        user = directory.user(id_)
        if user is None:
            raise not_found(id_)
        return Answer(200, self._show(directory, request, user, selected(request, USER_FIELDS)))

    def get_manager(self, directory: Directory, request: Request, id_: str) -> Answer:
        request.require(DENIED, *USER_ROLES)
        user = directory.user(id_)
        manager = directory.users.get(_id(user.get("manager"))) if user else None
        if manager is None:
            raise not_found("manager")
        chosen = selected(request, USER_FIELDS)
        shown = self._show(directory, request, manager, chosen)
        return Answer(200, {"@odata.type": "#microsoft.graph.user", **shown})

    def get_group(self, directory: Directory, request: Request, id_: str) -> Answer:
        request.require(DENIED, *GROUP_ROLES)
        if id_ not in directory.groups:
            raise not_found(id_)
        chosen = selected(request, GROUP_FIELDS)
        return Answer(200, self._show(directory, request, directory.groups[id_], chosen))

    def get_org_contact(self, directory: Directory, request: Request, id_: str) -> Answer:
        request.require(DENIED, *ORG_CONTACT_ROLES)
        if id_ not in directory.contacts:
            raise not_found(id_)
        chosen = selected(request, ORG_CONTACT_FIELDS)
        return Answer(200, self._show(directory, request, directory.contacts[id_], chosen))

    def list_members(
        self, directory: Directory, request: Request, id_: str, which: str, cast: str | None = None
    ) -> Answer:
        request.require(DENIED, *GROUP_ROLES)
        if id_ not in directory.groups:
            raise not_found(id_)
        kind = TYPES.get(cast.lower()) if cast else None
        if cast and kind is None:
            raise GraphError(400, "BadRequest", f"Resource not found for the segment '{cast}'.")
        if cast and not advanced(request):
            raise unsupported(
                "OData cast needs header ConsistencyLevel: eventual and query $count=true."
            )
        if "$expand" in request.query and advanced(request):
            raise unsupported("Expect simple name=value query, but observe property 'Expand'.")
        if kind == "contacts":
            request.require(DENIED, *ORG_CONTACT_ROLES)
            unified = "Unified" in (directory.groups[id_].get("groupTypes") or ())
            if unified and request.quirk("orgContactCast") == "refused":
                raise unsupported("The cast is to a type that the group cannot hold.")
        members = directory.members(id_, nested=which.lower() == "transitivemembers")
        visibility = str(directory.groups[id_].get("visibility"))
        if visibility == "HiddenMembership" and _HIDDEN_ROLE not in request.roles:
            if request.quirk("hiddenMembers") == "refused":
                raise GraphError(403, DENIED, "Insufficient privileges to complete the operation.")
            members = []
        names = {collection_: name for name, collection_ in TYPES.items()}
        objects = [
            {"@odata.type": f"#{names[k].replace('orgcontact', 'orgContact')}", **o}
            for k, o in members
            if kind is None or k == kind
        ]

        def show(item: Object, chosen: list[str]) -> Object:
            typed = {} if cast else {"@odata.type": item["@odata.type"]}
            return {**typed, **self._show(directory, request, item, chosen)}

        fields = {"groups": GROUP_FIELDS, "contacts": ORG_CONTACT_FIELDS}
        default = fields.get(kind or "", USER_FIELDS)
        type_ = _SINGULAR[kind] if kind else "directoryObject"
        body = collection(request, objects, default, self.base, show, type_=type_, empty_page=True)
        return Answer(200, body)

    def get_by_ids(self, directory: Directory, request: Request) -> Answer:
        body = request.body if isinstance(request.body, dict) else {}
        ids = body.get("ids")
        if not isinstance(ids, list) or not all(isinstance(i, str) and i for i in ids) or not ids:
            raise GraphError(400, "Request_BadRequest", "Invalid value specified for 'ids'.")
        if len(ids) > 1000:
            raise GraphError(
                400, "Request_BadRequest", "The number of ids may not exceed the limit of 1000."
            )
        if any(not re.fullmatch(_GUID, str(given)) for given in ids):
            raise GraphError(400, "Request_BadRequest", "Invalid GUID specified.")
        if request.quirk("getByIds") == "refused":
            raise GraphError(403, DENIED, "Insufficient privileges to complete the operation.")
        types = {str(t).lower() for t in body.get("types") or ("directoryObject",)}
        if types == {"user"}:
            request.require(DENIED, *USER_ROLES)
        else:
            request.require(DENIED, "Directory.Read.All")
        chosen = {"users": USER_FIELDS, "groups": GROUP_FIELDS, "contacts": ORG_CONTACT_FIELDS}
        lower = {
            id_.lower(): id_ for id_ in (*directory.users, *directory.groups, *directory.contacts)
        }
        found: list[Object] = []
        for id_ in dict.fromkeys(ids):
            known = lower.get(str(id_).lower(), str(id_))
            kind = directory.kind_of(known)
            singular = {"users": "user", "groups": "group", "contacts": "orgcontact"}
            if kind is None or not types & {singular[kind], "directoryobject"}:
                continue
            fields = selected(request, chosen[kind])
            item = getattr(directory, kind)[known]
            shown = self._show(directory, request, item, fields)
            if request.quirk("getByIds") == "idOnly":
                shown = {"id": shown["id"]}
            elif request.quirk("getByIds") == "nulls":
                shown = {**dict.fromkeys(shown), "id": shown["id"]}
            found.append({"@odata.type": f"#microsoft.graph.{singular[kind]}", **shown})
        return Answer(200, {"value": found})

    def _list(self, directory: Directory, request: Request, kind: str, fields: list[str]) -> Object:
        objects = list(getattr(directory, kind).values())

        def show(item: Object, chosen: list[str]) -> Object:
            return self._show(directory, request, item, chosen)

        return collection(request, objects, fields, self.base, show, type_=_SINGULAR[kind])

    def _show(
        self, directory: Directory, request: Request, item: Object, chosen: list[str]
    ) -> Object:
        shown = {"id": item["id"], **{name: _value(item, name) for name in chosen}}
        expand = request.query.get("$expand")
        if expand:
            match = re.fullmatch(r"manager(?:\((.*)\))?", expand)
            if match is None:
                raise GraphError(400, "BadRequest", f"Could not expand '{expand}'.")
            manager = directory.users.get(_id(item.get("manager")))
            if manager is not None:
                inner = re.search(r"\$select=([\w,]+)", match[1] or "")
                names = inner[1].split(",") if inner else USER_FIELDS
                shown["manager"] = {
                    "@odata.type": "#microsoft.graph.user",
                    "id": manager["id"],
                    **{name: _value(manager, name) for name in names},
                }
        return shown


def _value(item: Object, name: str) -> Any:
    lists = {"businessPhones", "proxyAddresses", "phones", "addresses", "otherMails", "groupTypes"}
    if name == "accountEnabled":
        return item.get(name, True)
    return item.get(name, [] if name in lists else None)


def _id(manager: Any) -> str:
    return str(manager.get("id", "")) if isinstance(manager, dict) else str(manager or "")
