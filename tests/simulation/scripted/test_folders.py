"""Folders of ours that their users delete, and bring back."""

import pytest

from tests.local.graph.mailboxes.mailbox import Folder, Mailbox
from tests.simulation.scripted.scripts import (
    broken,
    company,
    contents,
    imported,
    next_day,
    quiet,
    run_script,
    settled,
)
from tests.simulation.simulation import Simulation


def folders_of_ours(mailbox: Mailbox) -> list[Folder]:
    return [folder for folder in mailbox.folders.values() if folder.extended]


@pytest.mark.parametrize("ending", ["change", "idle", "removal"])
def test_folder_that_its_user_restored_leaves_no_second_contacts(ending: str) -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, people=3, mailboxes=1)
        import_ = await imported(sim, share)
        await quiet(sim)
        [user] = sim.world.mailboxes
        mailbox = sim.mailbox(user)
        assert mailbox is not None
        [deleted] = folders_of_ours(mailbox)
        with sim.as_user(mailbox):
            mailbox.bin_folder(deleted)
        person = sim.world.groups[share.group][0]
        sim.rename(share.tenant, person)
        sim.world.touch(sim.now())
        await next_day(sim)
        assert len(folders_of_ours(mailbox)) == 1
        with sim.as_user(mailbox):
            mailbox.restore_folder(deleted)
            noted = mailbox.add_contact(deleted, {"displayName": "Own"})
        if ending == "change":
            sim.rename(share.tenant, person)
            sim.world.touch(sim.now())
            await next_day(sim)
        elif ending == "idle":
            for _ in range(8):
                await next_day(sim)
        else:
            import_.removed = True
            sim.world.touch(sim.now())
            await sim.api(import_.tenant, "DELETE", f"imports/{import_.id}")
            await quiet(sim)
        assert list(deleted.contacts) == [noted.core]
        assert len(contents(sim, user)) == (0 if ending == "removal" else 3)
        await settled(sim)

    assert not broken(run_script(script))
