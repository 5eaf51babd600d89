"""Edits by users at moments when they could be mistaken for our own writes."""

from tests.simulation.scripted.scripts import (
    broken,
    company,
    contents,
    imported,
    next_day,
    quiet,
    run_script,
    settled,
    when,
)
from tests.simulation.simulation import Simulation


def test_edit_between_our_write_and_its_echo_is_the_users() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, people=2, mailboxes=1)
        await imported(sim, share)
        await quiet(sim)
        [user] = sim.world.mailboxes
        person = sim.world.groups[share.group][0]
        edited = []

        async def edit_at_once() -> None:
            while contents(sim, user)[f"u-{person}"] != sim.world.people[person]:
                await sim.wait(0.001)
            mailbox = sim.mailbox(user)
            assert mailbox is not None
            [contact] = [c for _, key, c in sim.ours(mailbox) if key == f"u-{person}"]
            with sim.as_user(mailbox):
                folder = mailbox.where[contact.core]
                mailbox.change_contact(folder, contact, {"displayName": "My own name"})
            edited.append(contact)

        sim.rename(share.tenant, person)
        sim.world.touch(sim.now())
        when(sim, "storage get MailboxHeads", edit_at_once)
        await next_day(sim)
        assert edited
        assert contents(sim, user)[f"u-{person}"][0] == "My own name"
        await next_day(sim)
        assert contents(sim, user)[f"u-{person}"] == sim.world.people[person]
        await settled(sim)

    assert not broken(run_script(script))
