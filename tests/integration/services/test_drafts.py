"""Previews of shares and imports that are not saved yet."""

import pytest

from shared.adapters.entra.access_tokens import Caller
from shared.domain.errors import InvalidInput
from shared.domain.importing.imports import Destination, ImportInput, Targets
from shared.domain.sharing.shares import Access, GroupSource, ShareInput, Sources
from shared.services.insight.previews import ImportPreview
from shared.wiring.app import App
from tests.world import World, person


def wanted(world: World) -> ShareInput:
    return ShareInput(name="People", sources=Sources(groups=[GroupSource(id=world.group)]))


def import_of(world: World, share: str, folder: str | None = "Contact Sync") -> ImportInput:
    return ImportInput(
        name="Import",
        share_id=share,
        targets=Targets(users=world.targets),
        destination=Destination(folder=folder),
    )


async def test_preview_of_a_draft_share_equals_its_preview_after_saving(
    app: App, world: World, caller: Caller
) -> None:
    gone = person(70, accountEnabled=False)
    await world.client.change_tenant(world.tenant, users=[gone])
    await world.members([*world.people, gone["id"]])
    await app.privacy.people.suppress(caller, world.people[0])
    draft = await app.insight.previews.share_draft(caller, wanted(world))
    assert draft.count == 4
    assert {(o.id, str(o.reason)) for o in draft.omissions} == {
        (gone["id"], "disabled"),
        (world.people[0], "suppressed"),
    }
    assert (await app.sharing.shares.page(caller, 10, None)).items == ()
    saved = await app.sharing.shares.create(caller, wanted(world), app.idempotency.once())
    assert await app.insight.previews.share(caller, saved.value.id) == draft


@pytest.mark.parametrize("folder", ["Contact Sync", None])
async def test_preview_of_a_draft_import_plans_changes_without_writing(
    app: App, world: World, caller: Caller, folder: str | None
) -> None:
    share = (await app.sharing.shares.create(caller, wanted(world), app.idempotency.once())).value
    box = world.targets[0]
    before = await world.client.mailbox(world.tenant, box)

    async def plan() -> ImportPreview:
        return await app.insight.previews.plan_draft(
            caller, import_of(world, share.id, folder), box
        )

    seen = await plan()
    assert (seen.planned.created, seen.held) == (5, None)
    assert [c.display_name for c in seen.changes] == world.expected()
    assert await world.client.mailbox(world.tenant, box) == before
    assert (await app.importing.imports.page(caller, 10, None)).items == ()
    await world.import_(share.id, destination={"folder": folder})
    assert (await plan()).planned.created == 5


async def test_preview_of_a_draft_import_requires_an_open_share_and_a_target_mailbox(
    app: App, world: World, partner: World, caller: Caller
) -> None:
    theirs = await partner.share(access={"rule": "tenant"})
    for share in (theirs["shareId"], theirs["id"], "0" * 32):
        with pytest.raises(InvalidInput) as refused:
            await app.insight.previews.plan_draft(caller, import_of(world, share), world.targets[0])
        assert [e.field for e in refused.value.errors] == ["shareId"]
    own = wanted(world).copy_with(access=Access(rule="tenant"))
    mine = (await app.sharing.shares.create(caller, own, app.idempotency.once())).value
    with pytest.raises(InvalidInput) as refused:
        await app.insight.previews.plan_draft(caller, import_of(world, mine.id), world.people[0])
    assert [e.field for e in refused.value.errors] == ["mailbox"]
