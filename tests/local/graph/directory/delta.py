"""Delta queries of the directory: users, groups and organizational contacts.

Docs: user-delta, group-delta, orgcontact-delta, delta-query-overview. A token stands for what the
caller saw; the next round compares that with what is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from tests.local.graph.directory.objects import (
    DENIED,
    GROUP_FIELDS,
    GROUP_ROLES,
    ORG_CONTACT_FIELDS,
    ORG_CONTACT_ROLES,
    USER_FIELDS,
    USER_ROLES,
    Directory,
)
from tests.local.graph.directory.odata import Object
from tests.local.graph.protocol import Answer, GraphError, Request
from tests.local.graph.sources import sources
from tests.local.graph.strict.queries import check_ids, selected

type Seen = Mapping[str, Object]

_PAGE: Final = 100
_RELATIONS: Final = {"users": "manager", "groups": "members"}
_FIELDS: Final = {"users": USER_FIELDS, "groups": GROUP_FIELDS, "contacts": ORG_CONTACT_FIELDS}
_ROLES: Final = {"users": USER_ROLES, "groups": GROUP_ROLES, "contacts": ORG_CONTACT_ROLES}


@dataclass(frozen=True, slots=True)
class _Round:
    """A round of delta: what it selects, what was seen at its start, and what is still to show."""

    tenant: str
    kind: str
    names: tuple[str, ...]
    ids: frozenset[str] | None
    seen: Seen
    waiting: tuple[Object, ...]


class DirectoryDelta:
    """Answers the delta queries of all tenants."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._rounds: dict[str, _Round] = {}

    def expire(self, tenant: str | None) -> None:
        """Make all tokens issued so far invalid."""
        self._rounds = {
            token: known
            for token, known in self._rounds.items()
            if tenant is not None and known.tenant != tenant
        }

    def users(self, directory: Directory, request: Request) -> Answer:
        return self._answer("users", directory, request)

    def groups(self, directory: Directory, request: Request) -> Answer:
        return self._answer("groups", directory, request)

    def contacts(self, directory: Directory, request: Request) -> Answer:
        return self._answer("contacts", directory, request)

    def _answer(self, kind: str, directory: Directory, request: Request) -> Answer:
        request.require(DENIED, *_ROLES[kind])
        round_ = self._round(kind, directory, request)
        page, rest = round_.waiting[:_PAGE], round_.waiting[_PAGE:]
        following = _Round(round_.tenant, kind, round_.names, round_.ids, round_.seen, waiting=rest)
        token = sources().token()
        self._rounds[token] = following
        name = "$skiptoken" if rest else "$deltatoken"
        link = f"{self._base}/{kind}/delta?{urlencode({name: token})}"
        body: Object = {"@odata.nextLink" if rest else "@odata.deltaLink": link}
        body["value"] = list(page)
        return Answer(200, body)

    def _round(self, kind: str, directory: Directory, request: Request) -> _Round:
        query = request.query
        if "$skiptoken" in query:
            return self._known(query["$skiptoken"], kind, request.tenant)
        token = query.get("$deltatoken", "")
        if token and token != "latest":
            before = self._known(token, kind, request.tenant)
            names, ids, seen = before.names, before.ids, before.seen
        else:
            relation = {_RELATIONS[kind]} if kind in _RELATIONS else set[str]()
            names = selected(query.get("$select")) or (*_FIELDS[kind], *relation)
            ids, seen = check_ids(query), {}
        now = _visible(kind, directory, names, ids)
        changes = () if token == "latest" else tuple(_changes(kind, seen, now))
        return _Round(request.tenant, kind, names, ids, now, changes)

    def _known(self, token: str, kind: str, tenant: str) -> _Round:
        found = self._rounds.get(token)
        if found is None or found.kind != kind or found.tenant != tenant:
            raise GraphError(
                400, "SyncStateNotFound", "The sync state generation is not found; resync."
            )
        return found


def _visible(
    kind: str, directory: Directory, names: tuple[str, ...], ids: frozenset[str] | None
) -> Seen:
    """Return what the caller can see: the selected properties and relations that are set."""
    types = {"users": "user", "groups": "group", "contacts": "orgContact"}
    found: dict[str, Object] = {}
    for id_, item in getattr(directory, kind).items():
        if ids is not None and id_ not in ids:
            continue
        shown: Object = {name: item[name] for name in names if item.get(name) is not None}
        relation = _RELATIONS.get(kind)
        if relation in shown:
            linked = shown.pop(relation)
            linked = linked if isinstance(linked, list) else [linked]
            targets = [str(t.get("id")) if isinstance(t, dict) else str(t) for t in linked]
            shown[f"{relation}@delta"] = {
                target: types[of] for target in targets if (of := directory.kind_of(target))
            }
        found[id_] = shown
    return found


def _changes(kind: str, seen: Seen, now: Seen) -> list[Object]:
    """Return the changed objects with all selected properties, and those that are gone.

    A property that was never set is left out; one that was cleared is null.
    """
    changed: list[Object] = []
    for id_, shown in now.items():
        before = seen.get(id_)
        if before == shown:
            continue
        relation = f"{_RELATIONS.get(kind, '')}@delta"
        names = [name for name in {**shown, **(before or {})} if name != relation]
        item: dict[str, Any] = {"id": id_, **{name: shown.get(name) for name in names}}
        linked = _linked((before or {}).get(relation) or {}, shown.get(relation) or {})
        if linked:
            item[relation] = linked
        changed.append(item)
    gone = [id_ for id_ in seen if id_ not in now]
    return [*changed, *({"id": id_, "@removed": {"reason": "changed"}} for id_ in gone)]


def _linked(before: Mapping[str, str], now: Mapping[str, str]) -> list[Object]:
    added = [_reference(kind, id_) for id_, kind in now.items() if id_ not in before]
    gone = [
        {**_reference(kind, id_), "@removed": {"reason": "deleted"}}
        for id_, kind in before.items()
        if id_ not in now
    ]
    return [*added, *gone]


def _reference(kind: str, id_: str) -> Object:
    return {"@odata.type": f"#microsoft.graph.{kind}", "id": id_}
