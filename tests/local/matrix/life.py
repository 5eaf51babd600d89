"""The demo's two companies under quirks, with what their users and admins do that quirks are about.

All rows of a matrix live side by side in one cloud, each with tenants of its own: one clock, one
timer and one wait for all. A day is checked by what the mailboxes hold, not by what it cost, since
some answers cost more requests; those are counted.
"""

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from PIL import Image

from tests.local.client import Api, Client, Json
from tests.local.demo_data import Company, contoso, fabrikam
from tests.local.matrix.rows import Row

_CATEGORY: Final = "Contoso"
_FULL: Final = "fullMailbox"
_LONGEST: Final = 900.0
_IN_FULL: Final = {"mailbox_full", "mailbox_properties_full", "no_mailbox"}


@dataclass(slots=True)
class Life:
    """One row of the matrix: two companies, what they agreed, and what was wrong."""

    row: Row
    publisher: Company
    partner: Company
    apis: dict[str, Api] = field(default_factory=dict)
    imports: dict[str, Json] = field(default_factory=dict)
    wanted: set[tuple[str, str, str]] = field(default_factory=set)
    photos: int = 0
    wrong: list[str] = field(default_factory=list)
    requests: int = 0

    @property
    def companies(self) -> tuple[Company, Company]:
        """The publisher and its partner."""
        return self.publisher, self.partner

    @property
    def is_full(self) -> bool:
        """Whether the mailboxes have no space, until the last day."""
        return _FULL in self.row.values

    def check(self, what: str, *, holds: bool) -> None:
        """Note what does not hold."""
        if not holds:
            self.wrong.append(what)


async def live(client: Client, rows: Iterable[Row]) -> list[Life]:
    """Let the companies of all rows live four days, and return what was wrong."""
    lives = [await _found(client, row) for row in rows]
    await client.settle(_LONGEST)
    for life in lives:
        await _check_first_day(client, life)
        await _let_happen(client, life)
    await _day(client, 1)
    for life in lives:
        await _check(client, life, "after the changes", may_be_full=True)
        for company in life.companies:
            await client.quirks(company.tenant, **{_FULL: None})
    await _day(client, 2)
    for life in lives:
        await _check(client, life, "on the quiet day")
        await life.apis["publisher"].delete(f"/imports/{life.imports['publisher']['id']}", 202)
    await client.settle(_LONGEST)
    counted = (await client.requests())["tenants"]
    for life in lives:
        await _check_removal(client, life)
        await _check(client, life, "beside the removal", companies=(life.partner,))
        life.requests = sum(
            use["http"]
            for company in life.companies
            for use in counted[company.tenant]["mailboxes"].values()
        )
    return lives


async def _found(client: Client, row: Row) -> Life:
    publisher, partner = (replace(one, tenant=str(uuid4())) for one in (contoso(), fabrikam()))
    life = Life(row, publisher, partner)
    publisher.user(publisher.buyers[-1])["mailbox"] = False
    project = {
        "id": str(uuid4()), "displayName": "Project", "groupTypes": ["Unified"],
        "mailEnabled": True, "members": publisher.sellers[:2],
    }  # fmt: skip
    secret = {
        "id": str(uuid4()), "displayName": "Secret", "visibility": "HiddenMembership",
        "members": [publisher.users[-1]["id"]],
    }  # fmt: skip
    publisher.groups += [project, secret]
    pictured = publisher.sellers[:3]
    life.photos = len(pictured)
    for company in life.companies:
        await client.create_tenant(
            company.tenant, users=company.users, groups=company.groups, contacts=company.contacts
        )
        await client.quirks(company.tenant, **row.values)
    photos = dict.fromkeys(pictured, _picture("red"))
    await client.change_tenant(publisher.tenant, photos=photos)
    life.apis = {
        "publisher": await client.api(publisher.tenant),
        "partner": await client.api(partner.tenant),
    }
    sources = (publisher.sales, project["id"], secret["id"])
    groups = [{"id": id_, "as": "members"} for id_ in sources]
    share = await life.apis["publisher"].post(
        "/shares",
        {
            "name": "Sales",
            "sources": {"groups": groups},
            "access": {"rule": "tenants", "tenants": [partner.tenant]},
        },
        201,
    )
    for name, targets in (
        ("publisher", {"groups": [publisher.purchasing]}),
        ("partner", {"users": partner.buyers}),
    ):
        life.imports[name] = await life.apis[name].post(
            "/imports",
            {
                "name": name,
                "shareId": share["shareId"],
                "targets": targets,
                "destination": {"folder": "Contact Sync", "category": _CATEGORY},
                "photos": {"edge": 96},
            },
            201,
        )
    life.wanted = set(map(_said, _sellers(life)))
    return life


async def _check_first_day(client: Client, life: Life) -> None:
    await _check(client, life, "after the first fill", may_be_full=True)
    run = life.imports["publisher"]["firstRun"]
    results = await life.apis["publisher"].all(f"/runs/{run}/results")
    reasons = {result["mailbox"]: result["reason"] for result in results}
    missing = life.publisher.buyers[-1]
    life.check("a missing mailbox is skipped", holds=reasons.get(missing) == "no_mailbox")
    if life.is_full:
        life.check("full mailboxes say so", holds=set(reasons.values()) <= _IN_FULL)


async def _let_happen(client: Client, life: Life) -> None:
    """Let people change, users tidy up, and links die."""
    publisher, tenant = life.publisher, life.publisher.tenant
    changed, left, moved, joined = *publisher.sellers[:3], publisher.newcomer
    for user, values in (
        (changed, {"mobilePhone": "+49 170 9999999"}),
        (moved, {"streetAddress": None, "city": None, "postalCode": None, "country": None}),
    ):
        publisher.user(user).update(values)
        await client.change_tenant(tenant, users=[{"id": user, **values}])
    await client.delete_user(tenant, left)
    publisher.sellers.remove(left)
    publisher.sellers.append(joined)
    for group in publisher.groups:
        group["members"] = [m for m in group["members"] if m != left]
    publisher.groups[0]["members"].append(joined)
    await client.change_tenant(
        tenant, groups=publisher.groups, photos={moved: _picture("blue"), joined: _picture("red")}
    )
    life.wanted = set(map(_said, _sellers(life)))
    await client.add_contact(tenant, publisher.buyers[0], displayName="Oma")
    contacts = await client.folder(tenant, publisher.buyers[1])
    if contacts:
        for folder in (None, "Contact Sync"):
            await client.move_contact(tenant, publisher.buyers[1], contacts[0]["id"], folder)
        await client.delete_folder(tenant, publisher.buyers[2], "Contact Sync")
    for company in life.companies:
        await client.expire_delta(company.tenant)


async def _day(client: Client, days: int) -> None:
    morning = datetime.now(UTC).replace(hour=3, minute=0, second=0) + timedelta(days=days)
    await client.clock(morning.isoformat())
    await client.fire()
    await client.settle(_LONGEST)


async def _check(
    client: Client,
    life: Life,
    when: str,
    *,
    may_be_full: bool = False,
    companies: Sequence[Company] = (),
) -> None:
    if life.is_full and may_be_full:
        return
    for company in companies or life.companies:
        for user in company.buyers:
            if company.user(user).get("mailbox") is False:
                continue
            contacts = await client.folder(company.tenant, user)
            said = [_said_by(contact) for contact in contacts]
            right = len(said) == len(life.wanted) and set(said) == life.wanted
            missing, more = len(life.wanted - set(said)), len(said) - len(life.wanted & set(said))
            life.check(f"contacts {when}: {missing} missing, {more} too many", holds=right)
            categories = all(contact["categories"] == [_CATEGORY] for contact in contacts)
            life.check(f"categories {when}", holds=categories)
            pictures = sum("photo" in contact for contact in contacts)
            life.check(f"{pictures} photos {when}", holds=pictures == life.photos)


async def _check_removal(client: Client, life: Life) -> None:
    for user in life.publisher.buyers:
        if life.publisher.user(user).get("mailbox") is False:
            continue
        box = await client.mailbox(life.publisher.tenant, user)
        left = [c["displayName"] for folder in box["folders"] for c in folder["contacts"]]
        own = ["Oma"] if user == life.publisher.buyers[0] else []
        life.check(f"the removal leaves {len(left)} contacts", holds=left == own)


def _sellers(life: Life) -> Iterator[Json]:
    return map(life.publisher.user, life.publisher.sellers)


def _said(user: Json) -> tuple[str, str, str]:
    """Return what the contact of a user says."""
    return user["displayName"], str(user.get("mobilePhone") or ""), str(user.get("city") or "")


def _said_by(contact: Json) -> tuple[str, str, str]:
    city = str(contact["businessAddress"].get("city") or "")
    return contact["displayName"], str(contact["mobilePhone"] or ""), city


def _picture(color: str) -> str:
    file = io.BytesIO()
    Image.new("RGB", (200, 200), color).save(file, "JPEG")
    return base64.b64encode(file.getvalue()).decode()
