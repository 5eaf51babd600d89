"""What admins, users and Microsoft do in a history: each act changes the service and the world."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Final

from tests.local.graph.mailboxes.mailbox import Contact, Folder, Mailbox
from tests.simulation.simulation import Simulation
from tests.simulation.world import Import

type Act = Callable[[Simulation], Coroutine[Any, Any, None]]

LOOKED_WITHIN: Final = timedelta(days=9)
"""The delta of a folder in Deleted Items shows nothing; the app looks for it once a week."""
_GONE: Final = {404, 409, 412}


async def delete_import(sim: Simulation) -> None:
    """Delete an import."""
    for import_ in _some(sim, list(sim.world.living())):
        import_.removed = True
        sim.world.touch(sim.now())
        await sim.api(import_.tenant, "DELETE", f"imports/{import_.id}")
        sim.world.touch(sim.now(), import_)


async def suppress(sim: Simulation) -> None:
    """Remove a person everywhere, as the publisher or as an importing tenant."""
    for import_ in _some(sim, list(sim.world.living())):
        tenant = sim.rng.choice((import_.tenant, import_.share.tenant))
        for person in _some(sim, sim.world.groups[import_.share.group]):
            sim.world.service.suppressed.setdefault(tenant, set()).add(person)
            sim.world.touch(sim.now())
            await sim.api(tenant, "DELETE", f"people/{person}")
            sim.world.touch(sim.now())


async def readmit(sim: Simulation) -> None:
    """Let a person in again."""
    kept_out = [
        (t, p) for t, people in sim.world.service.suppressed.items() for p in sorted(people)
    ]
    for tenant, person in _some(sim, kept_out):
        await sim.api(tenant, "POST", f"people/{person}/readmit")
        sim.world.service.suppressed[tenant].discard(person)
        sim.world.touch(sim.now())


async def withdraw(sim: Simulation) -> None:
    """Delete a share."""
    for share in _some(sim, [s for s in sim.world.service.shares if not s.withdrawn]):
        share.withdrawn = True
        sim.world.touch(sim.now())
        await sim.api(share.tenant, "DELETE", f"shares/{share.id}")
        sim.world.touch(sim.now())


async def block(sim: Simulation) -> None:
    """Block a partner from a share."""
    foreign = [i for i in sim.world.living() if i.tenant != i.share.tenant]
    for import_ in _some(sim, [i for i in foreign if not i.share.withdrawn]):
        share, path = import_.share, f"shares/{import_.share.id}/subscribers/{import_.tenant}"
        before = import_.tenant in share.blocked
        share.blocked.add(import_.tenant)
        sim.world.touch(sim.now())
        reply = await sim.api(share.tenant, "DELETE", path)
        if reply.status >= 400 and not before:
            # Nobody is blocked who is not known as a subscriber yet.
            share.blocked.discard(import_.tenant)
        sim.world.touch(sim.now())


async def unblock(sim: Simulation) -> None:
    """Let all blocked partners of a share in again."""
    for share in _some(sim, [s for s in sim.world.service.shares if s.blocked and not s.withdrawn]):
        await sim.api(share.tenant, "PATCH", f"shares/{share.id}", {"blocked": []})
        share.blocked.clear()
        sim.world.touch(sim.now())


async def leave(sim: Simulation) -> None:
    """Leave the service."""
    tenants = sorted({i.tenant for i in sim.world.living()})
    for tenant in _some(sim, tenants):
        sim.world.service.left.add(tenant)
        sim.world.service.leavers.add(tenant)
        sim.world.touch(sim.now())
        for _ in range(20):
            asked = await sim.api(tenant, "DELETE", "tenant")
            if asked.status != 200:
                break
            code = asked.body["confirm"]
            reply = await sim.api(tenant, "DELETE", f"tenant?confirm={code}&tenant={tenant}")
            if reply.status == 202:
                break
        sim.world.touch(sim.now())


async def pause(sim: Simulation) -> None:
    """Pause or resume an import."""
    for import_ in _some(sim, list(sim.world.living())):
        await _patch(sim, import_, {"active": not import_.active})
        import_.active = not import_.active
        sim.world.touch(sim.now(), import_)


async def change_folder(sim: Simulation) -> None:
    """Rename an import's folder, or move to the default one and back."""
    for import_ in _some(sim, list(sim.world.living())):
        folder = sim.rng.choice((None, "Contact Sync", f"Folder {import_.id[-2:]}"))
        if (folder is None) != (import_.folder is None):
            all_unwanted(sim, import_)
        import_.folder = folder
        await _patch(sim, import_, {"destination": {"folder": folder}})
        sim.world.touch(sim.now(), import_)


async def change_targets(sim: Simulation) -> None:
    """Aim an import at other mailboxes."""
    for import_ in _some(sim, list(sim.world.living())):
        choice = [m for m, t in sim.world.mailboxes.items() if t == import_.tenant]
        import_.targets = sorted(sim.rng.sample(choice, sim.rng.randint(1, len(choice))))
        sim.world.touch(sim.now(), import_)
        await _patch(sim, import_, {"targets": {"users": import_.targets}})
        sim.world.touch(sim.now(), import_)


async def change_settings(sim: Simulation) -> None:
    """Change what each contact says beside its fields."""
    for import_ in _some(sim, list(sim.world.living())):
        category = sim.rng.choice((None, "Red", "Blue"))
        await _patch(sim, import_, {"destination": {"category": category}})
        sim.world.touch(sim.now(), import_)


async def request_run(sim: Simulation) -> None:
    """Run an import now."""
    for import_ in _some(sim, list(sim.world.living())):
        await sim.api(import_.tenant, "POST", f"imports/{import_.id}/runs")


async def decide(sim: Simulation) -> None:
    """Approve or discard a held run."""
    for run, tenant in _some(sim, await runs(sim, "held")):
        answer = sim.rng.choice(("approve", "approve", "discard"))
        await sim.api(tenant, "POST", f"runs/{run}/{answer}")


async def retry(sim: Simulation) -> None:
    """Retry the failed mailboxes of a run."""
    found = await runs(sim, "partial") + await runs(sim, "failed")
    for run, tenant in _some(sim, found):
        await sim.api(tenant, "POST", f"runs/{run}/retry")


async def rename_person(sim: Simulation) -> None:
    """Change a person in the directory."""
    for share in _some(sim, sim.world.service.shares):
        for person in _some(sim, sim.world.groups[share.group]):
            sim.rename(share.tenant, person)
            sim.world.touch(sim.now())


async def change_members(sim: Simulation) -> None:
    """Take people out of a group, and put others in."""
    for share in _some(sim, sim.world.service.shares):
        people = [p for p, t in sim.tenants_of_people.items() if t == share.tenant]
        number = sim.rng.choice((1, 2, len(people) // 2, len(people)))
        members = sorted(sim.rng.sample(people, max(1, min(number, len(people)))))
        sim.set_group(share.tenant, share.group, members)
        sim.world.touch(sim.now())


async def edit_contact(sim: Simulation) -> None:
    """A user edits, annotates or deletes one of our contacts."""
    for user, mailbox in _mailboxes(sim):
        for import_, key, contact in _some(sim, sorted(sim.ours(mailbox), key=lambda c: c[2].core)):
            folder = mailbox.where[contact.core]
            what = sim.rng.choice(("note", "name", "move", "delete"))
            with sim.as_user(mailbox):
                if what == "note":
                    sim.world.notes[user, contact.core] = f"note {sim.loop.time()}"
                    body = {"personalNotes": sim.world.notes[user, contact.core]}
                    mailbox.change_contact(folder, contact, body)
                elif what == "name":
                    mailbox.change_contact(folder, contact, {"displayName": "My own name"})
                elif what == "move":
                    _move_out_and_back(sim, user, mailbox, contact)
                else:
                    mailbox.remove_contact(folder, contact)
                    sim.world.notes.pop((user, contact.core), None)
            sim.world.changed[import_] = sim.now()
            del key


async def delete_folder(sim: Simulation) -> None:
    """A user deletes a folder of ours, with all that is in it."""
    for user, mailbox in _mailboxes(sim):
        for folder in _some(sim, sorted(_own_folders(mailbox), key=lambda f: f.core)):
            gone = sim.outside.quirk(sim.world.mailboxes[user], "deletedFolder") == "gone"
            for import_, _, contact in sim.ours(mailbox):
                if mailbox.where[contact.core] is folder:
                    sim.world.changed[import_] = sim.now()
                    if not gone:
                        sim.world.unseen[import_, user] = sim.now() + LOOKED_WITHIN
            for core in folder.contacts:
                sim.world.notes.pop((user, core), None)
                sim.world.own.pop((user, core), None)
            with sim.as_user(mailbox):
                if gone:
                    mailbox.remove_folder(folder)
                else:
                    mailbox.bin_folder(folder)


async def add_own_contact(sim: Simulation) -> None:
    """A user adds a contact of their own, in the default folder or in ours."""
    for user, mailbox in _mailboxes(sim):
        folder = sim.rng.choice(sorted(mailbox.folders.values(), key=lambda f: f.core))
        with sim.as_user(mailbox):
            name = f"Own {sim.loop.time()}"
            contact = mailbox.add_contact(folder, {"displayName": name})
        sim.world.own[user, contact.core] = (name, "")


async def take_mailbox(sim: Simulation) -> None:
    """A mailbox vanishes; Exchange may give it back within 30 days."""
    for user, _ in _mailboxes(sim):
        sim.outside.take_mailbox(sim.world.mailboxes[user], user)
        sim.world.touch(sim.now())


async def return_mailbox(sim: Simulation) -> None:
    """A mailbox comes back with all that was in it."""
    for tenant, user in _some(sim, sorted(sim.outside.gone)):
        sim.outside.return_mailbox(tenant, user)
        sim.world.touch(sim.now())


async def deny_mailbox(sim: Simulation) -> None:
    """A mailbox refuses the app for a while."""
    for user, _ in _mailboxes(sim):
        sim.outside.graph.denied[user] = "ErrorAccessDenied"
        sim.adversary.strikes["mailbox denied"] += 1
        await asyncio.sleep(sim.rng.choice((60, 3_600, 30 * 3_600)))
        sim.outside.graph.denied.pop(user, None)


async def fill_mailboxes(sim: Simulation) -> None:
    """The mailboxes of a tenant are full for a while."""
    for user, _ in _mailboxes(sim):
        tenant = sim.world.mailboxes[user]
        sim.outside.fill_mailboxes(tenant, sim.rng.choice(("quota", "storage", "names")))
        sim.adversary.strikes["mailboxes full"] += 1
        await asyncio.sleep(sim.rng.choice((60, 3_600, 30 * 3_600)))
        sim.outside.fill_mailboxes(tenant, None)


async def expire_links(sim: Simulation) -> None:
    """All delta links of a tenant stop working."""
    for user, _ in _mailboxes(sim):
        sim.outside.graph.outlook.expire_delta(sim.world.mailboxes[user])


async def withdraw_consent(sim: Simulation) -> None:
    """A tenant's consent is gone for a while."""
    for tenant in _some(sim, sorted(sim.outside.consents)):
        sim.outside.consents.discard(tenant)
        sim.adversary.strikes["consent withdrawn"] += 1
        await asyncio.sleep(sim.rng.choice((600, 30 * 3_600)))
        sim.outside.consents.add(tenant)
        sim.world.touch(sim.now())


async def deploy(sim: Simulation) -> None:
    """Stop and start every instance."""
    sim.adversary.strikes["deployment"] += 1
    sim.host.stop_all()


ACTS: Final[dict[Act, int]] = {
    delete_import: 6,
    suppress: 4,
    readmit: 1,
    withdraw: 2,
    block: 2,
    unblock: 1,
    leave: 2,
    pause: 3,
    change_folder: 2,
    change_targets: 3,
    change_settings: 1,
    request_run: 3,
    decide: 3,
    retry: 2,
    rename_person: 4,
    change_members: 5,
    edit_contact: 4,
    delete_folder: 1,
    add_own_contact: 1,
    take_mailbox: 2,
    return_mailbox: 2,
    deny_mailbox: 2,
    fill_mailboxes: 1,
    expire_links: 1,
    withdraw_consent: 1,
    deploy: 2,
}
"""The acts of a history, and how often each is drawn."""


async def runs(sim: Simulation, status: str) -> list[tuple[str, str]]:
    """Return the runs with a status, each with its tenant."""
    found: list[tuple[str, str]] = []
    for tenant in sorted({i.tenant for i in sim.world.service.imports}):
        reply = await sim.api(tenant, "GET", f"runs?status={status}")
        if reply.status == 200:
            found += [(str(item["id"]), tenant) for item in reply.body["items"]]
    return found


def _some[T](sim: Simulation, choice: list[T]) -> list[T]:
    """Return one of several, or nothing if there is none."""
    return [sim.rng.choice(choice)] if choice else []


def _mailboxes(sim: Simulation) -> list[tuple[str, Mailbox]]:
    found = [(user, box) for user in sim.world.mailboxes if (box := sim.mailbox(user))]
    return _some(sim, found)


def _own_folders(mailbox: Mailbox) -> list[Folder]:
    return [folder for folder in mailbox.folders.values() if folder.extended]


def _move_out_and_back(sim: Simulation, user: str, mailbox: Mailbox, contact: Contact) -> None:
    """Move a contact to another folder and back at once; delta may then show it as removed."""
    home, tenant = mailbox.where[contact.core], sim.world.mailboxes[user]
    ghosts = sim.outside.quirk(tenant, "movedBack") == "removed"
    for folder in (mailbox.default, home):
        mailbox.move_contact(contact, folder, ghosts=ghosts)


async def _patch(sim: Simulation, import_: Import, body: object) -> None:
    reply = await sim.api(import_.tenant, "PATCH", f"imports/{import_.id}", body)
    if reply.status >= 400 and reply.status not in _GONE:
        raise AssertionError(f"PATCH {body}: {reply.status} {reply.body}")


def all_unwanted(sim: Simulation, import_: Import) -> None:
    """Note that each contact of an import may be taken away for a moment."""
    sim.world.unwanted.update(
        (import_.id, mailbox, f"u-{person}")
        for mailbox in sim.world.mailboxes
        for person in sim.world.people
    )
