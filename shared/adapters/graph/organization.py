"""The verified domain by which partners know a tenant.

It is the default domain of the organization. An app that may not read that (docs: organization-list
asks for Directory.Read.All) takes a domain in which the names of users end: Entra ID accepts only
verified domains there (docs: user resource, userPrincipalName), for guests one of the tenant's own.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from shared.adapters.graph.directory import ADVANCED, users_by_id
from shared.adapters.graph.transport import GraphSession, required
from shared.domain.errors import NeedsAdmin

_NAMES: Final = "id,userPrincipalName"
_PAGE: Final = "999"
_UNITS: Final = 2
_FREE: Final = ".onmicrosoft.com"
"""How domains end that Microsoft gives to each tenant: any name that is free, without a proof."""


async def verified_domain(session: GraphSession, known: str = "", user: str = "") -> str:
    """Return a domain that the tenant has proved to own; '' if none can be found.

    Without access to the organization, the domain `known` stays as long as a user's name ends in
    it; otherwise it is that of a `user` (an id), or of most users. One of Microsoft's own is the
    last choice.
    """
    query = {"$select": "id,verifiedDomains"}
    try:
        found = await _list(session, "/organization", query)
    except NeedsAdmin:
        return await _domain_of_names(session, known, user)
    domains = {
        _domain(domain.get("name")): bool(domain.get("isDefault"))
        for each in found
        for domain in each.get("verifiedDomains") or ()
    }
    return min(domains, key=lambda name: (name.endswith(_FREE), not domains[name]), default="")


async def _domain_of_names(session: GraphSession, known: str, user: str) -> str:
    if known and not known.endswith(_FREE):
        end = known.replace("'", "''")
        query = {
            "$select": _NAMES,
            "$filter": f"endswith(userPrincipalName,'@{end}')",
            "$count": "true",
            "$top": "1",
        }
        if await _list(session, "/users", query, ADVANCED):
            return known
    asking = await users_by_id(session, [user], _NAMES) if user else {}
    own = {_domain(each.get("userPrincipalName")) for each in asking.values()}
    people = await _list(session, "/users", {"$select": _NAMES, "$top": _PAGE})
    domains = Counter(_domain(each.get("userPrincipalName")) for each in people)
    return min(
        {*own, *domains} - {""},
        key=lambda name: (name.endswith(_FREE), name not in own, -domains[name], name),
        default="",
    )


async def _list(
    session: GraphSession,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Return the first page of a list."""
    await session.directory.take(_UNITS)
    answer = required(await session.read(path, query=query, headers=headers))
    found: list[dict[str, Any]] = answer.body["value"]
    return found


def _domain(name: object) -> str:
    """Return the domain in a name, in lower case."""
    return str(name or "").rpartition("@")[2].lower()
