"""The life of two companies with all quirks of Graph at once; `make quirks` runs every pair."""

from tests.local.client import Client
from tests.local.matrix.life import live
from tests.local.matrix.rows import all_at_once


async def test_two_companies_live_well_with_all_quirks_at_once(client: Client) -> None:
    [life] = await live(client, [all_at_once()])
    partner = life.imports["partner"]["id"]
    await life.apis["partner"].patch(f"/imports/{partner}", {"active": False})

    assert life.wrong == []
