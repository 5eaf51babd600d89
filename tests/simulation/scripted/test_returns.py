"""Contacts of ours that their users take out of our folder, and bring back days later."""

from typing import Any

import pytest

from tests.local.graph.mailboxes import contacts
from tests.local.graph.mailboxes import mailbox as outlook
from tests.simulation.scripted.scripts import (
    broken,
    company,
    contents,
    delete_import,
    imported,
    next_day,
    quiet,
    run_script,
    settled,
)
from tests.simulation.simulation import Simulation


@pytest.mark.parametrize("shown", ["removed", "shown"])
@pytest.mark.parametrize("how", ["moved", "deleted", "moved into ours"])
@pytest.mark.parametrize("noted", [False, True])
def test_contact_that_comes_back_days_later_is_no_second_one(
    shown: str,
    how: str,
    noted: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, people=3, mailboxes=1)
        sim.outside.graph.quirks.set({"movedBack": shown})
        destination = {"folder": None} if how == "moved into ours" else {"folder": "Contact Sync"}
        import_ = await imported(sim, share, destination=destination)
        import_.folder = destination["folder"]
        await quiet(sim)
        [user] = sim.world.mailboxes
        mailbox = sim.mailbox(user)
        assert mailbox is not None
        home, gone = next((mailbox.where[c.core], c) for _, _, c in sim.ours(mailbox))
        with sim.as_user(mailbox):
            if how == "deleted":
                mailbox.bin_contact(home, gone)
            else:
                away = mailbox.add_folder({"displayName": "Friends"}, mailbox.root)
                mailbox.move_contact(gone, away, ghosts=shown == "removed")
        sim.world.touch(sim.now())
        for _ in range(3):
            await next_day(sim)
        assert len(home.contacts) == 3
        with sim.as_user(mailbox):
            if noted:
                sim.world.notes[user, gone.core] = "mine"
                folder = mailbox.where.get(gone.core, mailbox.trash)
                mailbox.change_contact(folder, gone, {"personalNotes": "mine"})
            mailbox.move_contact(gone, home, ghosts=shown == "removed")
        sim.world.touch(sim.now())
        for _ in range(7 if how == "deleted" else 1):
            await next_day(sim)
        assert len(home.contacts) == 3
        assert len(contents(sim, user)) == 3
        assert (gone.core in home.contacts) == noted
        await settled(sim)
        await delete_import(sim, import_)
        await quiet(sim)
        assert not list(sim.ours(mailbox))

    assert not broken(run_script(script))


NEW = "aakalg"


def in_new_format(*values: Any, **options: Any) -> dict[str, Any]:
    """Return what Graph shows of a contact, with an id of another format."""
    shown = outlook.shown_contact(*values, **options)
    return {**shown, "id": f"{NEW}{outlook.core_of(shown['id'])}"}


@pytest.mark.parametrize("how", ["noted", "whole read"])
def test_contacts_with_ids_of_a_new_format_stay(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Graph shows each contact under an id of another format, and still takes the old ones."""

    async def script(sim: Simulation) -> None:
        share = await company(sim, people=3, mailboxes=1)
        await imported(sim, share)
        await quiet(sim)
        [user] = sim.world.mailboxes
        mailbox = sim.mailbox(user)
        assert mailbox is not None
        before = {contact.core for _, _, contact in sim.ours(mailbox)}
        monkeypatch.setattr(outlook, "_MUTABLE", NEW)
        monkeypatch.setattr(contacts, "shown_contact", in_new_format)
        with sim.as_user(mailbox):
            for core in sorted(before):
                sim.world.notes[user, core] = "mine"
                folder = mailbox.where[core]
                mailbox.change_contact(folder, folder.contacts[core], {"personalNotes": "mine"})
        if how == "whole read":
            sim.outside.graph.outlook.expire_delta(None)
        sim.world.touch(sim.now())
        await next_day(sim)
        sim.rename(share.tenant, sim.world.groups[share.group][0])
        sim.world.touch(sim.now())
        for _ in range(3):
            await next_day(sim)
        assert {contact.core for _, _, contact in sim.ours(mailbox)} == before
        assert len(contents(sim, user)) == 3
        await settled(sim)

    assert not broken(run_script(script))
