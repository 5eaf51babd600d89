"""A contact that Graph does not let us read is neither gone nor forgotten."""

from shared.adapters.graph.mailboxes.mailbox import Delta, Mailbox
from shared.domain.contacts.known import DEFAULT_POLICY, Change
from shared.services.sync.applying import ApplyProgress
from shared.services.sync.mailbox_place import remove_contacts
from shared.services.sync.mailbox_writing import Writing
from tests.unit.sharing.simulated_graph import ROOT, SimulatedGraph
from tests.unit.sync.mailbox import NO_WAIT, add_contact, contacts_left, known_of, work_in

KNOWN = known_of({"u-1": "c-1"})
IN_PARTS = (Change("c-1", {"jobTitle": "Boss"}),)


def unreadable() -> SimulatedGraph:
    graph = SimulatedGraph()
    graph.fail("/contacts/c-1", {"status": 500, "headers": NO_WAIT})
    return graph


async def test_contact_that_no_read_shows_and_none_can_ask_for_is_still_known() -> None:
    work = work_in(unreadable(), KNOWN, folder="f")
    found = await work.observe(KNOWN, (), {}, DEFAULT_POLICY, complete=True)
    assert found == (KNOWN, ())


async def test_contact_that_is_shown_in_parts_and_cannot_be_read_is_still_known() -> None:
    work = work_in(unreadable(), KNOWN, folder="f")
    found = await work.observe(KNOWN, IN_PARTS, {}, DEFAULT_POLICY, complete=True)
    assert found == (KNOWN, ())


async def test_contact_that_does_not_exist_is_gone() -> None:
    work = work_in(SimulatedGraph(), KNOWN, folder="f")
    found = await work.observe(KNOWN, (), {}, DEFAULT_POLICY, complete=True)
    assert found == ({}, ())


class InParts(Mailbox):
    """A mailbox whose delta shows only some properties of a contact."""

    async def delta(self, folder: str, link: str | None = None) -> Delta:
        del folder, link
        return Delta(IN_PARTS, "link")


async def test_contact_just_written_that_cannot_be_read_is_not_taken_for_deleted() -> None:
    graph = unreadable()
    work = work_in(graph, KNOWN, folder="f")
    work.mailbox = InParts(graph.session(), work.message.mailbox, "i-1")
    writing = Writing(work, KNOWN, None, DEFAULT_POLICY, ApplyProgress())
    assert await writing.read_own_writes()
    assert (writing.known, writing.calm) == (KNOWN, True)


async def test_removal_deletes_what_the_read_of_the_default_folder_does_not_show() -> None:
    graph = SimulatedGraph()
    graph.add_user(1)
    contact = await add_contact(graph)
    nothing = {"value": [], "@odata.deltaLink": f"{ROOT}/link"}
    graph.fail("/contacts/delta", {"status": 200, "body": nothing})
    # The worker that filled the folder was killed before it knew the folder's id.
    work = work_in(graph, known_of({"u-1": contact}), own_folder=False)

    await remove_contacts(work, ApplyProgress())

    assert await contacts_left(graph) == 0
