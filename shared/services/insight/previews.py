"""Previews: who is in a share, what an import would do, and why a person is missing.

Nothing is written except the lease on a mailbox that is read, because reading also counts against
the mailbox's limits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.graph.mailbox_directory import MailboxDirectory, TargetMailboxes
from shared.adapters.graph.mailboxes.answers import FolderGoneError
from shared.adapters.graph.transport import Meter
from shared.adapters.storage.mailboxes.mailbox_contacts import ContactRows
from shared.adapters.storage.results import find_result
from shared.adapters.storage.snapshots import Desired
from shared.adapters.storage.store import Store
from shared.domain.contacts.explanation import Facts, why_absent
from shared.domain.contacts.fields import Contact
from shared.domain.contacts.keys import keys_of
from shared.domain.contacts.plan import Create, Delete, Plan, Update
from shared.domain.errors import FieldError, InvalidInput, NeedsAdmin, Refused
from shared.domain.importing.imports import Import, ImportInput
from shared.domain.importing.runs import ContactCounts, Omission, Outcome, Result, rarest_first
from shared.domain.reasons import Reason
from shared.domain.sharing.shares import ShareInput
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.importing.imports import Imports
from shared.services.sharing.publications import Publications
from shared.services.sharing.resolution import OwnContents, ShareContents
from shared.services.sharing.shares import Shares
from shared.services.sync.mailbox_planning import Planned, plan_mailbox, policy_of, since_last_time
from shared.services.sync.mailbox_results import counts_of
from shared.services.sync.mailbox_work import MailboxWork
from shared.services.sync.mailboxes import Mailboxes
from shared.services.tenancy.reads import Reads

type Change = Create | Update | Delete

SAMPLE: Final = 50
DRAFT: Final = "draft"
"""The id of a share or import that is not saved yet; no mailbox has contacts of it."""


@dataclass(frozen=True, slots=True)
class SharePreview:
    """The current number of contacts in a share, the first ones by name, and all omissions."""

    count: int
    sample: tuple[Contact, ...]
    omissions: tuple[Omission, ...]


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One change of a preview, with the name in the share or, for a removal, in the mailbox.

    The name is null if the contact is no longer in the mailbox.
    """

    action: str
    key: str
    display_name: str | None


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What the next run would do in a mailbox; `held` is why it would wait for an admin."""

    mailbox: str
    planned: ContactCounts
    held: Reason | None
    changes: tuple[PlannedChange, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a person is published and in a mailbox; `reason` says why not."""

    person: str
    mailbox: str
    published: bool
    present: bool
    reason: Reason | None
    last_run: str | None = None
    rejected: str | None = None


class Previews:
    """Previews for the caller's tenant."""

    def __init__(
        self,
        store: Store,
        directory: MailboxDirectory,
        shares: Shares,
        imports: Imports,
        publications: Publications,
        mailboxes: Mailboxes,
        reads: Reads,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._directory = directory
        self._shares = shares
        self._imports = imports
        self._publications = publications
        self._mailboxes = mailboxes
        self._reads = reads
        self._clock = clock

    async def share(self, caller: Caller, id_: str) -> SharePreview:
        """Resolve a share of the caller's tenant as a run would.

        Raises `NeedsAdmin` or `TransientError` if a run could not read it either.
        """
        share = (await self._shares.read(caller, id_)).value
        await self._reads.note(caller, LedgerAction.PREVIEWED, share.id)
        return _preview(await self._publications.own(caller, share))

    async def share_draft(self, caller: Caller, wanted: ShareInput) -> SharePreview:
        """Resolve a share that is not saved yet."""
        await self._reads.note(caller, LedgerAction.PREVIEWED, DRAFT)
        return _preview(await self._publications.draft(caller, wanted))

    async def plan(self, caller: Caller, import_id: str, mailbox: str) -> ImportPreview:
        """Plan what the next run would do in one of the import's mailboxes.

        Raises `InvalidInput` if the mailbox is not a target of the import, and `Busy` while a run
        syncs it.
        """
        import_ = (await self._imports.read(caller, import_id)).value
        await self._reads.note(caller, LedgerAction.PREVIEWED, import_.id)
        return await self._plan(caller, import_, mailbox, await self._resolved(caller, import_))

    async def plan_draft(self, caller: Caller, wanted: ImportInput, mailbox: str) -> ImportPreview:
        """Plan what the first run of an import that is not saved yet would do in a mailbox.

        Raises `InvalidInput` if the tenant may not import the share, and the errors of `plan`.
        """
        opened = await self._imports.require_open(caller, wanted.share_id)
        if opened.waiting:
            raise _waiting()
        share, publisher = opened.share, opened.publisher
        await self._reads.note(caller, LedgerAction.PREVIEWED, DRAFT)
        self._publications.count_read(caller, share, publisher)
        found = await self._publications.resolve(caller.tenant, share, publisher, Meter())
        given = {name: getattr(wanted, name) for name in ImportInput.model_fields}
        now = self._clock()
        draft = Import(**given, id=DRAFT, created=now, changed=now)
        return await self._plan(caller, draft, mailbox, found)

    async def explain(
        self, caller: Caller, import_id: str, mailbox: str, person: str
    ) -> Explanation:
        """Return whether a person (an object id or a contact key) is in a mailbox and, if not, why.

        Of a partner's share, one learns whether the person is in it, and never why not.
        Raises `Busy` while a run syncs the mailbox.
        """
        import_ = (await self._imports.read(caller, import_id)).value
        await self._reads.note(caller, LedgerAction.PERSON_READ, person)
        contents, omission = await self._resolved(caller, import_), None
        if contents is not None:
            omission = await self._publications.why_omitted(caller.tenant, contents, person)
        targets = await self._targets(caller, import_)
        keys = keys_of(person)
        key = next((k for k in keys if contents and k in contents.contacts), keys[0])
        work = await self._mailboxes.look_into(caller.tenant, import_id, mailbox)
        present, refused = None, None
        if mailbox in targets.mailboxes or work.stored is not None:
            work = await self._mailboxes.leased(caller.tenant, import_id, mailbox)
            try:
                present = await self._present(work, keys)
            except NeedsAdmin as error:
                refused = error.reason
        known = (await work.known()).get(key)
        result = work.head.result
        last_run = (await self._imports.runs(caller, import_.id)).last_run
        if last_run is not None:
            stored = await find_result(self._store, caller.tenant, last_run, mailbox)
            result = stored.value if stored is not None else result
        listed = result.rejected if result is not None else ()
        rejected = next((r.code for r in listed if r.key == key), None)
        facts = Facts(
            withdrawn=contents is None,
            published=contents is not None and key in contents.contacts,
            omission=omission,
            present=bool(present),
            target=mailbox in targets.mailboxes,
            skipped=targets.skipped.get(mailbox),
            result=refused or _problem(result),
            rejected=rejected is not None,
            deleted_by_user=present is False
            and known is not None
            and not policy_of(import_).restore_deleted,
        )
        return Explanation(
            person,
            mailbox,
            facts.published,
            facts.present,
            why_absent(facts),
            last_run,
            rejected,
        )

    async def _plan(
        self, caller: Caller, import_: Import, mailbox: str, found: ShareContents | None
    ) -> ImportPreview:
        targets = await self._targets(caller, import_)
        if mailbox not in targets.mailboxes:
            reason = targets.skipped.get(mailbox, Reason.NOT_A_TARGET)
            raise InvalidInput.of(FieldError("mailbox", reason))
        desired = found.contacts if found is not None else {}
        work = await self._mailboxes.leased(caller.tenant, import_.id, mailbox)
        try:
            planned = await _planned(work, import_, desired)
            shown = _shown(planned.plan)
            gone = [o.id for o in shown if isinstance(o, Delete)]
            names = await work.mailbox.names(gone)
        finally:
            await work.release()
        changes = (PlannedChange(_action(o), o.key, _name_for(o, desired, names)) for o in shown)
        return ImportPreview(mailbox, counts_of(planned.plan), planned.objection, tuple(changes))

    async def _present(self, work: MailboxWork, keys: tuple[str, ...]) -> bool | None:
        """Return whether the contact is in the import's folder; None without the folder."""
        head = work.head
        try:
            folder = head.folder or (await work.mailbox.find_folder() if head.own_folder else None)
            if folder is None and head.own_folder:
                return None
            if folder is not None and head.own_folder and head.home:
                await work.mailbox.require_in_place(folder, head.home)
            work.mailbox.in_folder(folder if head.own_folder else None)
            return bool(await work.mailbox.find(keys))
        except FolderGoneError:
            return None
        except Refused as error:
            if error.status == 404:
                return None
            raise
        finally:
            await work.release()

    async def _resolved(self, caller: Caller, import_: Import) -> ShareContents | None:
        share, publisher = await self._publications.find_approved(caller.tenant, import_.share_id)
        if share is None:
            return None
        self._publications.count_read(caller, share, publisher)
        return await self._publications.resolve(caller.tenant, share, publisher, Meter())

    async def _targets(self, caller: Caller, import_: Import) -> TargetMailboxes:
        return await self._directory.mailboxes_of(caller.tenant, import_.targets)


def _waiting() -> NeedsAdmin:
    return NeedsAdmin(Reason.PUBLISHER_APPROVAL_PENDING, "The publisher has not approved yet.")


def _preview(found: OwnContents) -> SharePreview:
    by_name = sorted(found.contacts.values(), key=lambda c: (_name(c).casefold(), c.key))
    return SharePreview(
        len(found.contacts), tuple(by_name[:SAMPLE]), tuple(rarest_first(found.omissions.values()))
    )


async def _planned(work: MailboxWork, import_: Import, desired: Desired) -> Planned:
    try:
        delta = await since_last_time(work)
        there = await _find_place(work, import_)
        return await plan_mailbox(work, import_, desired, delta, empty=not there)
    except FolderGoneError:
        work.head = work.head.copy_with(folder=None, rows=ContactRows())
        return await plan_mailbox(work, import_, desired, None, empty=True)


async def _find_place(work: MailboxWork, import_: Import) -> bool:
    """Point to the import's folder in a mailbox without creating it; return whether it exists."""
    own = import_.destination.folder is not None
    if work.head.folder is not None and work.head.own_folder != own:
        # The import changes its destination: all of its contacts are in the old one.
        work.head = work.head.copy_with(folder=None, rows=ContactRows())
    folder = work.head.folder or (
        await work.mailbox.find_folder() if own else await work.mailbox.default_folder()
    )
    work.head = work.head.copy_with(folder=folder, own_folder=own)
    work.mailbox.in_folder(folder if own else None)
    return folder is not None


def _problem(result: Result | None) -> Reason | None:
    return result.reason if result and result.outcome is not Outcome.SUCCEEDED else None


def _action(change: Change) -> str:
    return type(change).__name__.lower()


def _name(contact: Contact) -> str:
    return str(contact.fields.get("displayName", ""))


def _shown(plan: Plan) -> list[Change]:
    """Return the first changes of a plan, removals first, because they cannot be undone."""
    return sorted(plan.operations, key=lambda o: not isinstance(o, Delete))[:SAMPLE]


def _name_for(change: Change, desired: Desired, names: Mapping[str, str]) -> str | None:
    if isinstance(change, Delete):
        return names.get(change.id) or None
    return _name(desired[change.key]) if change.key in desired else None
