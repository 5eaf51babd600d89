"""What lists show of an import is put together by a service, not by a page."""

from shared.adapters.entra.access_tokens import Caller
from shared.domain.importing.runs import RunStatus
from shared.domain.tenancy.tenants import Tenant, TenantStatus
from shared.services.insight.import_list import ImportRow, ImportState
from shared.wiring.app import App
from tests.world import World


async def rows(app: App, caller: Caller, **changed: object) -> dict[str, ImportRow]:
    tenant = (await app.tenancy.tenants.known(caller)).value
    tenant = Tenant.model_validate({**dict(tenant), **changed})
    found = await app.importing.imports.search(caller, "", 50, None)
    imports = [stored.value for stored in found.items]
    listed = await app.insight.import_list.rows(caller, tenant, imports)
    assert [row.import_ for row in listed] == imports
    return {row.import_.name: row for row in listed}


async def test_tenant_without_imports_has_no_rows(app: App, caller: Caller) -> None:
    assert await rows(app, caller) == {}


async def test_rows_show_share_last_run_next_run_and_state(
    app: App, world: World, caller: Caller
) -> None:
    share = (await world.share(name="Staff"))["id"]
    strict = await world.import_(share, name="Strict", guard={"deletes": 0, "deleteShare": 0})
    await world.import_(share, name="Lax", targets={"users": world.targets[:1]})
    await world.import_(share, name="Paused", active=False)
    await world.members(world.people[:2])
    await world.next_day()

    found = await rows(app, caller)

    assert {name: row.state for name, row in found.items()} == {
        "Lax": ImportState.ACTIVE,
        "Paused": ImportState.PAUSED,
        "Strict": ImportState.HELD,
    }
    lax, paused, held = found["Lax"], found["Paused"], found["Strict"]
    assert (lax.origin.share, lax.origin.own, lax.mailboxes) == ("Staff", True, 1)
    assert lax.last is not None
    assert lax.last.status is RunStatus.SUCCEEDED
    assert lax.next is not None
    assert (paused.next, paused.last, paused.mailboxes) == (None, None, None)
    assert held.held is not None
    assert held.held.import_id == strict["id"]
    names = await app.insight.import_list.names(caller, [held.held, lax.last], [lax.import_])
    assert names == {lax.import_.id: "Lax", strict["id"]: "Strict"}


async def test_imports_of_a_disconnected_tenant_are_suspended(
    app: App, world: World, caller: Caller
) -> None:
    await world.import_((await world.share())["id"], name="One")

    found = await rows(app, caller, status=TenantStatus.DISCONNECTED)

    assert (found["One"].state, found["One"].next) == (ImportState.SUSPENDED, None)
