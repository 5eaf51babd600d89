"""The demo: Contoso shares its sales team with its own purchasing team and with partner Fabrikam.

Everything works as in Azure: over HTTP to the API, through queues and timers, over HTTP to the
mailboxes. The demo checks what it shows, and its exit code says whether all checks passed.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from rich.console import Console
from rich.table import Table

from tests.local.client import Api, Client, Json
from tests.local.demo_data import CONTOSO, FABRIKAM, TAILSPIN, Company, contoso, fabrikam

console = Console(width=120)
_ADMIN: Final = "00000000-0000-0000-0000-00000000ad01"
_PARTNER: Final = "00000000-0000-0000-0000-00000000ad02"
_NEWCOMER: Final = "00000000-0000-0000-0000-00000000ad03"


@dataclass(slots=True)
class Stage:
    """What the demo has built so far."""

    client: Client
    contoso: Company
    fabrikam: Company
    contoso_api: Api
    fabrikam_api: Api
    share: Json = field(default_factory=dict)
    imports: dict[str, Json] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def check(self, what: str, *, holds: bool) -> None:
        """Show a check, and remember it if it fails."""
        console.print(f"  [{'green' if holds else 'red'}]{'✓' if holds else '✗'}[/] {what}")
        if not holds:
            self.failed.append(what)


async def add_new_tenant(client: Client) -> None:
    """Create a tenant that has not joined, with an admin and another user who can sign in."""
    body = {"tenant": TAILSPIN, "users": []}
    (await client.send("POST", f"{client.graph}/_sim/tenants", body)).expect(200)
    await client.know(
        TAILSPIN,
        "Tailspin Toys",
        {
            "oid": _NEWCOMER,
            "name": "Tara Admin",
            "username": "tara@tailspin.example",
            "wids": ["62e90394-69f5-4237-9190-012177145e10"],  # Global Administrator
        },
        {"oid": str(uuid4()), "name": "Tom User", "username": "tom@tailspin.example"},
    )


async def seed(client: Client) -> Stage:
    """Fill both tenants, publish the share, and let both import it once."""
    await add_new_tenant(client)
    ours, partner = contoso(), fabrikam()
    for tenant, company in ((CONTOSO, ours), (FABRIKAM, partner)):
        await client.create_tenant(
            tenant, users=company.users, groups=company.groups, contacts=company.contacts
        )
    await client.know(
        CONTOSO,
        "Contoso",
        {"oid": _ADMIN, "name": "Ada Admin", "username": "ada@contoso.example", "roles": ["Admin"]},
        {
            "oid": str(uuid4()),
            "name": "Rita Reader",
            "username": "rita@contoso.example",
            "roles": ["Reader"],
        },
    )
    fred = {"name": "Fred Fabrikam", "username": "fred@fabrikam.example", "roles": ["Admin"]}
    await client.know(FABRIKAM, "Fabrikam", {"oid": _PARTNER, **fred})
    stage = Stage(
        client,
        ours,
        partner,
        await client.api(CONTOSO, oid=_ADMIN, name="Ada Admin"),
        await client.api(FABRIKAM, oid=_PARTNER, name="Fred Fabrikam"),
    )
    await stage.contoso_api.patch("/tenant", {"name": "Contoso"})
    await stage.fabrikam_api.patch("/tenant", {"name": "Fabrikam"})
    stage.share = await stage.contoso_api.post(
        "/shares",
        {
            "name": "Contoso sales",
            "sources": {"groups": [{"id": ours.sales, "as": "members"}]},
            "access": {"rule": "tenants", "tenants": [FABRIKAM]},
        },
        201,
    )
    for name, api, group in (
        ("Contoso purchasing", stage.contoso_api, ours.purchasing),
        ("Fabrikam", stage.fabrikam_api, partner.everyone),
    ):
        stage.imports[name] = await api.post(
            "/imports",
            {"name": name, "shareId": stage.share["shareId"], "targets": {"groups": [group]}},
            201,
        )
    await client.settle()
    return stage


async def demo(client: Client) -> int:
    """Run the demo. Return 0 if all checks passed."""
    console.rule("Contact Sync: one share, two companies, three days")
    stage = await seed(client)
    console.print(
        f"Contoso: {len(stage.contoso.users)} people; Fabrikam: {len(stage.fabrikam.users)}. "
        f"Share [bold]{stage.share['shareId']}[/] holds {len(stage.contoso.sellers)} of Contoso's "
        "salespeople. The share id is all that Fabrikam received."
    )
    await _first_day(stage)
    await _day(stage, 1, "nothing changed", created=0, updated=0, deleted=0, requests=1)
    await _people_change(stage)
    await _day(
        stage, 2, "one phone changed, one left, one joined", created=1, updated=1, deleted=1,
        requests=3,
    )  # fmt: skip
    await _own_contacts_untouched(stage)
    await _show_mailbox(stage)
    if stage.failed:
        console.print(f"[red]{len(stage.failed)} checks failed[/]: {'; '.join(stage.failed)}")
        return 1
    console.print("[green]All checks passed.[/]")
    return 0


async def _first_day(stage: Stage) -> None:
    console.rule("Day 1: the imports are created")
    for name, api, company in _sides(stage):
        expected = len(stage.contoso.sellers)
        await _show_run(stage, name, api, stage.imports[name]["firstRun"])
        await _check_run(
            stage, name, api, stage.imports[name]["firstRun"],
            created=expected, updated=0, deleted=0, requests=4,
        )  # fmt: skip
        await _check_contents(stage, name, company)
    needed = stage.imports["Contoso purchasing"]["licensesNeeded"]
    license_ = await stage.contoso_api.get("/licenses")
    stage.check(f"12 contacts into 8 mailboxes: {needed} licenses needed", holds=needed == 8)
    stage.check(
        f"Contoso uses {license_['used']} licenses; plan {license_['plan']} until "
        f"{license_['trialEnds'][:10]}",
        holds=license_["used"] == 8 and license_["plan"] == "trial",
    )
    run = await stage.contoso_api.get(f"/runs/{stage.imports['Contoso purchasing']['firstRun']}")
    omitted = {o["id"]: o["reason"] for o in run["omissions"]}
    for id_, reason in stage.contoso.omitted.items():
        stage.check(
            f"not included in the share, with its reason: {reason}",
            holds=omitted.get(id_) == reason,
        )
    await stage.client.add_contact(
        CONTOSO, stage.contoso.buyers[0], displayName="Oma", mobilePhone="+49 30 1234567",
        personalNotes="birthday cake",
    )  # fmt: skip


async def _day(stage: Stage, days: int, what: str, *, requests: int, **counts: int) -> None:
    console.rule(f"Day {days + 1}: the timer fires; {what}")
    morning = datetime.now(UTC).replace(hour=3, minute=0, second=0) + timedelta(days=days)
    await stage.client.clock(morning.isoformat())
    await stage.client.fire("start_due_runs")
    await stage.client.settle()
    for name, api, company in _sides(stage):
        run = (await api.get(f"/imports/{stage.imports[name]['id']}/runs"))["items"][0]["id"]
        await _show_run(stage, name, api, run)
        await _check_run(stage, name, api, run, requests=requests, **counts)
        await _check_contents(stage, name, company)


async def _people_change(stage: Stage) -> None:
    company = stage.contoso
    changed, left, joined = company.sellers[0], company.sellers[1], company.newcomer
    await stage.client.change_tenant(
        CONTOSO, users=[{"id": changed, "mobilePhone": "+49 170 9999999"}]
    )
    company.user(changed)["mobilePhone"] = "+49 170 9999999"
    await stage.client.delete_user(CONTOSO, left)
    company.sellers.remove(left)
    company.sellers.append(joined)
    sales = next(g for g in company.groups if g["id"] == company.sales)
    sales["members"] = [m for m in sales["members"] if m != left] + [joined]
    await stage.client.change_tenant(CONTOSO, groups=[sales])


async def _check_run(
    stage: Stage, name: str, api: Api, run_id: str, *, requests: int, **counts: int
) -> None:
    run = await api.get(f"/runs/{run_id}")
    results = await api.all(f"/runs/{run_id}/results")
    right = run["status"] == "succeeded" and all(
        {**r["contacts"], **counts} == r["contacts"] for r in results
    )
    stage.check(f"{name}: every mailbox {counts}", holds=right and bool(results))
    most = max(r["graphRequests"] for r in results)
    stage.check(f"{name}: {most} Graph requests per mailbox, no 429",
                holds=most <= requests and run["throttled"] == 0)  # fmt: skip


async def _check_contents(stage: Stage, name: str, company: Company) -> None:
    wanted = {
        (user["displayName"], user.get("mobilePhone"))
        for user in map(stage.contoso.user, stage.contoso.sellers)
    }
    right = True
    for mailbox in company.buyers:
        contacts = await stage.client.folder(company.tenant, mailbox)
        found = [(c["displayName"], c["mobilePhone"]) for c in contacts]
        right = right and set(found) == wanted and len(found) == len(wanted)
    stage.check(
        f"{name}: {len(company.buyers)} mailboxes hold exactly the {len(wanted)} salespeople",
        holds=right,
    )


async def _own_contacts_untouched(stage: Stage) -> None:
    box = await stage.client.mailbox(CONTOSO, stage.contoso.buyers[0])
    own = [c for f in box["folders"] if f["default"] for c in f["contacts"]]
    right = [(c["displayName"], c["personalNotes"]) for c in own] == [("Oma", "birthday cake")]
    stage.check("the user's own contact is untouched", holds=right)


async def _show_run(stage: Stage, name: str, api: Api, run_id: str) -> None:
    del stage
    run = await api.get(f"/runs/{run_id}")
    table = Table(
        title=f"{name}: started by {run['trigger']}, {run['status']}", title_justify="left"
    )
    table.add_column("mailbox")
    for column in ("created", "updated", "deleted", "unchanged", "Graph requests"):
        table.add_column(column, justify="right")
    table.add_column("outcome")
    for result in await api.all(f"/runs/{run_id}/results"):
        counts = result["contacts"]
        table.add_row(
            result["address"] or result["mailbox"],
            *(str(counts[c]) for c in ("created", "updated", "deleted", "unchanged")),
            str(result["graphRequests"]),
            result["outcome"] + (f" ({result['reason']})" if result["reason"] else ""),
        )
    console.print(table)


async def _show_mailbox(stage: Stage) -> None:
    buyer = stage.contoso.user(stage.contoso.buyers[0])
    table = Table(title=f"In the mailbox of {buyer['displayName']}", title_justify="left")
    for column in ("name", "title", "mail", "business", "mobile", "city", "manager"):
        table.add_column(column, overflow="fold")
    contacts = await stage.client.folder(CONTOSO, buyer["id"])
    for contact in sorted(contacts, key=lambda c: str(c["surname"])):
        table.add_row(*(str(value or "") for value in _row(contact)))
    console.print(table)


def _row(contact: Json) -> list[Any]:
    return [
        contact["displayName"],
        contact["jobTitle"],
        next((m["address"] for m in contact["emailAddresses"]), ""),
        next(iter(contact["businessPhones"]), ""),
        contact["mobilePhone"],
        contact["businessAddress"].get("city"),
        contact["manager"],
    ]


def _sides(stage: Stage) -> list[tuple[str, Api, Company]]:
    return [
        ("Contoso purchasing", stage.contoso_api, stage.contoso),
        ("Fabrikam", stage.fabrikam_api, stage.fabrikam),
    ]
