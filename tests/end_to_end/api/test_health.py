"""Health: anyone may ask, only the service's own admins and operators see details."""

from typing import Any

import httpx
import pytest

from tests.local.client import Api, Client


async def readiness(client: Client, api: Api | None) -> Any:
    url = f"{client.host}/api/health/ready"
    headers = {"Authorization": f"Bearer {api.token}"} if api is not None else {}
    return (await client.send("GET", url, headers=headers)).expect(200).body


@pytest.mark.parametrize("role", ["Operator", "Admin"])
async def test_home_admins_and_operators_see_each_check_with_its_duration(
    client: Client, role: str
) -> None:
    seen = await readiness(client, await client.api(client.home_tenant, roles=(role,)))

    assert seen["status"] == "ok"
    assert [check["name"] for check in seen["checks"]] == ["tables", "queues", "token_keys"]
    assert all(check.keys() == {"name", "status", "milliseconds"} for check in seen["checks"])
    assert all(check["status"] == "ok" for check in seen["checks"])
    assert all(0 <= check["milliseconds"] < 3_000 for check in seen["checks"])


async def test_everyone_else_sees_only_the_status(client: Client) -> None:
    somewhere = "6f1c2d3e-0000-4000-8000-00000000beef"
    strangers = [
        None,
        Api(client, "no-token"),
        await client.api(client.home_tenant, roles=("Reader",)),
        await client.api(client.home_tenant, roles=("Operator",), key="foreign"),
        await client.api(somewhere, roles=("Admin", "Operator")),
    ]

    for stranger in strangers:
        assert await readiness(client, stranger) == {"status": "ok"}


async def test_security_txt_says_how_to_report_a_vulnerability(client: Client) -> None:
    portal = client.addresses["portal"]
    async with httpx.AsyncClient() as http:
        reply = await http.get(f"{portal}/.well-known/security.txt")

    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert "Contact: mailto:security@service.invalid" in reply.text.splitlines()
    assert f"Canonical: {portal}/.well-known/security.txt" in reply.text.splitlines()
