"""Who may call what: every route, by every kind of caller.

The table is written by hand, apart from the code: a new route, or a route that admits another
role, fails here until it is entered.
"""

import re
from uuid import uuid4

import pytest

from tests import app_functions
from tests.end_to_end.checks import UNKNOWN, problem
from tests.local.client import Api, Client
from tests.world import World

ADMIN, READER, OPERATOR, ANYBODY = "Admin", "Reader", "Operator", ""
AUDITOR = "Auditor"

MAY: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        [
            "GET api/health",
            "GET api/health/ready",
            "GET api/openapi.json",
        ],
        frozenset({ANYBODY}),
    ),
    **dict.fromkeys(
        [
            "GET api/v1/shares",
            "GET api/v1/shares/{id}",
            "GET api/v1/shares/{id}/preview",
            "GET api/v1/shares/{id}/subscribers",
            "GET api/v1/publications/{id}",
            "GET api/v1/imports",
            "GET api/v1/imports/{id}",
            "GET api/v1/imports/{id}/runs",
            "GET api/v1/imports/{id}/explain",
            "POST api/v1/imports/estimate",
            "GET api/v1/runs",
            "GET api/v1/runs/{id}",
            "GET api/v1/runs/{id}/results",
            "GET api/v1/licenses",
            "GET api/v1/licenses/assignments",
            "POST api/v1/licenses/effect",
            "GET api/v1/people/{id}",
            "GET api/v1/tenant",
            "GET api/v1/tenant/check",
            "GET api/v1/tenant/security",
        ],
        frozenset({ADMIN, READER}),
    ),
    "GET api/v1/ledger": frozenset({ADMIN, READER, AUDITOR}),
    **dict.fromkeys(
        [
            "POST api/v1/shares",
            "PATCH api/v1/shares/{id}",
            "DELETE api/v1/shares/{id}",
            "POST api/v1/shares/{id}/rotate",
            "DELETE api/v1/shares/{id}/subscribers/{tenant}",
            "POST api/v1/shares/{id}/subscribers/{tenant}/approve",
            "POST api/v1/imports",
            "PATCH api/v1/imports/{id}",
            "DELETE api/v1/imports/{id}",
            "POST api/v1/imports/{id}/runs",
            "POST api/v1/imports/{id}/preview",
            "POST api/v1/imports/{id}/adoptions",
            "POST api/v1/runs/{id}/approve",
            "POST api/v1/runs/{id}/stop",
            "POST api/v1/runs/{id}/restart",
            "POST api/v1/runs/{id}/discard",
            "POST api/v1/runs/{id}/retry",
            "PUT api/v1/licenses",
            "DELETE api/v1/people/{id}",
            "POST api/v1/people/{id}/readmit",
            "PATCH api/v1/tenant",
            "DELETE api/v1/tenant",
            "POST api/v1/tenant/check",
            "POST api/v1/tenant/consent",
            "GET api/v1/tenant/export",
            "PATCH api/v1/tenant/security",
            "GET api/v1/tenant/notices",
            "PATCH api/v1/tenant/notices",
            "GET api/v1/tenant/notices/deliveries",
            "POST api/v1/tenant/notices/test",
            "PUT api/v1/tenant/notices/teams",
            "DELETE api/v1/tenant/notices/teams",
            "PUT api/v1/tenant/notices/webhook",
            "DELETE api/v1/tenant/notices/webhook",
            "POST api/v1/tenant/sign-out",
            "POST api/v1/tenant/stay",
        ],
        frozenset({ADMIN}),
    ),
    **dict.fromkeys(
        [
            "GET api/v1/operator/tenants",
            "GET api/v1/operator/tenants/{id}",
            "GET api/v1/operator/tenants/{id}/closing",
            "PATCH api/v1/operator/tenants/{id}",
            "POST api/v1/operator/tenants/{id}/sign-out",
        ],
        frozenset({OPERATOR}),
    ),
}


SERVED = [str(route) for route in app_functions.SERVED]
ROUTES = [str(route) for route in app_functions.API]


def test_table_lists_exactly_the_api_routes() -> None:
    assert sorted(MAY) == ROUTES


def test_portal_has_exactly_these_pages() -> None:
    assert [route for route in SERVED if route not in ROUTES] == [
        "GET .well-known/security.txt",
        "GET api/docs",
        "GET consent",
        "GET consented",
        "GET find",
        "GET find/{id}",
        "GET find/{id}/everywhere",
        "GET find/{id}/remove",
        "GET help/{tenant}/{key}",
        "GET imports",
        "GET imports/new",
        "GET imports/{id}",
        "GET imports/{id}/adopt",
        "GET imports/{id}/delete",
        "GET imports/{id}/edit",
        "GET imports/{id}/preview",
        "GET licenses",
        "GET licenses/book",
        "GET runs",
        "GET runs/{id}",
        "GET runs/{id}/decide",
        "GET runs/{id}/results.csv",
        "GET settings",
        "GET settings/audit",
        "GET settings/audit.csv",
        "GET settings/check",
        "GET settings/export",
        "GET settings/export.json",
        "GET settings/leave",
        "GET settings/notices",
        "GET settings/security",
        "GET settings/sign-out",
        "GET shares",
        "GET shares/new",
        "GET shares/{id}",
        "GET shares/{id}/edit",
        "GET shares/{id}/rotate",
        "GET shares/{id}/subscribers/{tenant}",
        "GET shares/{id}/withdraw",
        "GET signed-in",
        "GET signed-in-again",
        "GET static/{name}",
        "GET {*unknown}",
        "GET {nothing:maxlength(0)?}",
        "POST consent",
        "POST find/{id}/remove",
        "POST imports/new",
        "POST imports/{id}",
        "POST imports/{id}/adopt",
        "POST imports/{id}/delete",
        "POST imports/{id}/edit",
        "POST language",
        "POST licenses/book",
        "POST runs/{id}/decide",
        "POST runs/{id}/restart",
        "POST runs/{id}/retry",
        "POST runs/{id}/stop",
        "POST settings",
        "POST settings/check",
        "POST settings/leave",
        "POST settings/notices",
        "POST settings/security",
        "POST settings/sign-out",
        "POST settings/stay",
        "POST shares/new",
        "POST shares/{id}/edit",
        "POST shares/{id}/rotate",
        "POST shares/{id}/subscribers/{tenant}",
        "POST shares/{id}/withdraw",
        "POST sign-in",
        "POST sign-out",
        "POST signed-in",
    ]


async def test_openapi_document_names_the_roles_of_the_table(client: Client) -> None:
    reply = await client.send("GET", f"{client.host}/api/openapi.json")
    described = {
        f"{method.upper()} {'api' if 'servers' in operation else 'api/v1'}{path}": {
            *operation["x-app-roles"]
        }
        for path, methods in reply.body["paths"].items()
        for method, operation in methods.items()
    }

    assert described == {route: set(roles) - {ANYBODY} for route, roles in MAY.items()}


async def refused(api: Api, route: str) -> str | None:
    """Return the problem's type if the caller itself is refused (401 or 403), else None."""
    method, path = route.split()
    filled = re.sub(r"\{\w+\}", UNKNOWN, path.removeprefix("api/v1"))
    reply = await api.send(method, filled)
    assert reply.status < 500, (route, reply.body)
    if reply.status == 401:
        return str(problem(reply, 401, "unauthenticated")["type"].rpartition(":")[2])
    if reply.status == 403:
        return str(reply.body["type"].rpartition(":")[2])
    return None


CALLERS = [
    ("no token", None, None),
    ("a token signed with an unknown key", "foreign", (ADMIN,)),
    ("no role", "own", ()),
    ("a made-up role", "own", ("admin", "Owner", "Administrator")),
    ("Reader", "own", (READER,)),
    ("Admin", "own", (ADMIN,)),
    ("Auditor", "own", (AUDITOR,)),
    ("Operator of the home tenant", "home", (OPERATOR,)),
    ("Operator of another tenant", "own", (OPERATOR,)),
    ("Admin of the home tenant", "home", (ADMIN,)),
    ("all roles, another tenant", "own", (ADMIN, READER, OPERATOR)),
]


@pytest.mark.parametrize(("tenant", "roles"), [c[1:] for c in CALLERS], ids=[c[0] for c in CALLERS])
async def test_each_route_admits_only_permitted_callers(
    client: Client, world: World, tenant: str | None, roles: tuple[str, ...] | None
) -> None:
    home = client.home_tenant
    await client.consent(home)
    match tenant, roles:
        case None, _:
            api = Api(client, "")
        case "foreign", tuple():
            api = await client.api(world.tenant, roles=roles, key="foreign")
        case _, tuple():
            api = await client.api(home if tenant == "home" else world.tenant, roles=roles)
    held = set(roles or ()) - (set() if tenant == "home" else {OPERATOR})
    for route in ROUTES:
        got = await refused(api, route)
        if MAY[route] == {ANYBODY}:
            want = None
        elif tenant in {None, "foreign"}:
            want = "unauthenticated"
        else:
            want = None if MAY[route] & held else "forbidden"
        assert got == want, route


async def test_foreign_ids_return_404_on_every_route(world: World, partner: World) -> None:
    share = await world.share(access={"rule": "tenant"})
    made = await world.import_(share["id"])
    run = made["firstRun"]
    ids = {"shares": share["id"], "imports": made["id"], "runs": run, "publications": share["id"]}
    bodies = {
        "preview": {"mailbox": world.targets[0]},
        "adoptions": {"mailbox": world.targets[0]},
        "rotate": {},
    }
    for route in ROUTES:
        method, path = route.split()
        kind = path.removeprefix("api/v1/").split("/")[0]
        if "{id}" not in path or kind not in ids:
            continue
        filled = path.removeprefix("api/v1").replace("{tenant}", partner.tenant)
        if filled.endswith("explain"):
            filled += f"?mailbox={world.targets[0]}&person={world.people[0]}"
        body = bodies.get(path.rpartition("/")[2], {"name": "Mine"} if method == "PATCH" else None)
        own = ids[kind]
        unknown = ("1" if own[0] == "0" else "0") + own[1:]
        foreign = await partner.api.send(method, filled.replace("{id}", own), body)
        missing = await partner.api.send(method, filled.replace("{id}", unknown), body)
        words = problem(foreign, 404, "not-found")["detail"].replace(own[:64], "…")
        assert words == problem(missing, 404, "not-found")["detail"].replace(unknown[:64], "…")
        assert world.tenant not in str(foreign.body), route
    assert (await world.api.get(f"/shares/{share['id']}"))["etag"] == share["etag"]
    assert (await world.api.get(f"/imports/{made['id']}"))["name"] == "Import"


async def test_operator_sees_no_contacts_and_changes_only_operator_settings(
    client: Client, world: World
) -> None:
    await world.share()
    operator = await client.operator()

    seen = await operator.get(f"/operator/tenants/{world.tenant}")
    more = await operator.send(
        "PATCH", f"/operator/tenants/{world.tenant}", {"name": "Theirs", "booked": 9}
    )

    assert not any(user["mail"] in str(seen) for user in world.users.values())
    problem(more, 400, "invalid-input")
    assert (await world.api.get("/licenses"))["booked"] == 0


async def test_caller_from_tenant_without_consent_is_refused(client: Client) -> None:
    stranger = await client.api(str(uuid4()))

    for route in ("/shares", "/imports", "/licenses", "/ledger"):
        problem(await stranger.send("GET", route), 403, "consent-missing")
