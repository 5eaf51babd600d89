"""Two weeks of activity in the demo's tenants, so that pages have something to show."""

from datetime import UTC, datetime, timedelta

from tests.local.client import Json
from tests.local.demo import Stage
from tests.local.demo_data import CONTOSO

DAYS = 14
_HELD_FROM = 3
"""On the last day all but this many people leave sales, so the run is held."""


async def pass_days(stage: Stage) -> Json:
    """Let people change, join and leave, and one lose the mailbox. Contoso's last run is held.

    Return that run.
    """
    client, api, ours = stage.client, stage.contoso_api, stage.contoso
    id_ = stage.imports["Contoso purchasing"]["id"]
    targets = {"groups": [stage.contoso.purchasing], "users": [ours.buyers[0]]}
    paused = {"name": "Reception", "shareId": stage.share["id"], "targets": targets}
    await api.post("/imports", {**paused, "active": False}, 201)
    await api.patch(f"/imports/{id_}", {"guard": {"deletes": 4, "deleteShare": 0.2}})
    for day in range(1, DAYS + 1):
        some = ours.sellers[: 1 + day * 7 % 9]
        users: list[Json] = [
            {"id": who, "mobilePhone": f"+49 170 {day:02}{n:04}"} for n, who in enumerate(some)
        ]
        away = ours.sellers[-1 - day % 4 :] if day % 3 == 0 else []
        stay = [who for who in ours.sellers if who not in away]
        if day == DAYS - 2:
            users.append({"id": ours.buyers[3], "mail": None})
        if day == DAYS:
            stay = stay[:_HELD_FROM]
        group = {"id": ours.sales, "members": stay}
        await client.change_tenant(CONTOSO, users=users, groups=[group])
        await client.clock((datetime.now(UTC) + timedelta(days=day)).isoformat())
        await client.fire()
        await client.settle()
    (held,) = (await api.get("/runs?status=held"))["items"][:1]
    return dict(held)
