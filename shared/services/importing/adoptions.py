"""Adopting contacts of another tool: a mark makes them ours, so that none is created twice."""

import hashlib
from dataclasses import dataclass

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.graph.mailboxes.answers import FolderGoneError
from shared.adapters.graph.transport import Meter
from shared.domain.contacts.fields import Contact
from shared.domain.contacts.matching import Match, match
from shared.domain.contacts.plan import Adopt
from shared.domain.error_codes import Code
from shared.domain.errors import Conflict, FieldError, InvalidInput, NotFound
from shared.domain.importing.imports import AdoptionInput, Import
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.importing.imports import Imports
from shared.services.sharing.publications import Publications
from shared.services.sync.applying import ApplyProgress, apply_plan
from shared.services.sync.mailbox_work import MailboxWork
from shared.services.sync.mailboxes import Mailboxes
from shared.services.sync.threads import run_in_thread_if_large
from shared.services.tenancy.ledger import Ledger
from shared.services.tenancy.reads import Reads


@dataclass(frozen=True, slots=True)
class Adoption:
    """What an adoption in a mailbox would do or did; `left` contacts match nobody and stay as is.

    `digest` identifies the matches: send it back to confirm exactly these.
    """

    matches: tuple[Match, ...]
    names: dict[str, str]
    left: int
    digest: str
    adopted: int | None = None


class Adoptions:
    """Adoptions of the caller's tenant."""

    def __init__(
        self,
        imports: Imports,
        publications: Publications,
        mailboxes: Mailboxes,
        ledger: Ledger,
        reads: Reads,
    ) -> None:
        self._imports = imports
        self._publications = publications
        self._mailboxes = mailboxes
        self._ledger = ledger
        self._reads = reads

    async def adopt(self, caller: Caller, import_id: str, wanted: AdoptionInput) -> Adoption:
        """Match the contacts of one folder with the share's; mark them if `confirm` is given.

        Raises `Conflict` if the matches differ from those confirmed, or if the import already has a
        folder of its own in the mailbox; `Busy` while a run syncs it.
        """
        import_ = (await self._imports.read(caller, import_id)).value
        _require_same_place(import_, wanted.folder)
        await self._reads.note(caller, LedgerAction.PREVIEWED, import_.id)
        desired = await self._desired(caller, import_)
        work = await self._mailboxes.leased(caller.tenant, import_id, wanted.mailbox)
        try:
            folder = await _find(work, wanted.folder)
            found = await _look(work, folder, desired)
            if wanted.confirm is None:
                return found
            if wanted.confirm != found.digest:
                raise Conflict("preview_outdated")
            async with self._ledger.change(
                caller, LedgerAction.IMPORT_ADOPTED, import_id, mailbox=wanted.mailbox
            ) as entry:
                adopted = await _mark(work, folder, import_.destination.folder, found.matches)
                entry.detail["contacts"] = adopted
        except FolderGoneError as error:
            raise NotFound("folder_gone") from error
        finally:
            await work.release()
        return Adoption(found.matches, found.names, found.left, found.digest, adopted)

    async def _desired(self, caller: Caller, import_: Import) -> dict[str, Contact]:
        share, publisher = await self._publications.find_approved(caller.tenant, import_.share_id)
        if share is None:
            raise Conflict("nothing_to_match")
        resolution = await self._publications.resolve(caller.tenant, share, publisher, Meter())
        return resolution.contacts


def _require_same_place(import_: Import, folder: str | None) -> None:
    """Refuse to adopt from another kind of folder: Graph has no call that moves a contact."""
    if (import_.destination.folder is None) != (folder is None):
        own = import_.destination.folder is not None
        code: Code = "folder_needed" if own else "folder_not_expected"
        raise InvalidInput.of(FieldError("folder", code))


async def _find(work: MailboxWork, name: str | None) -> str | None:
    """Return the id of the folder to adopt from; None for a default folder without a contact."""
    if name is None:
        return await work.mailbox.default_folder()
    found = await work.mailbox.folder_named(name)
    if found is None:
        raise NotFound("folder_unknown")
    ours = work.head.folder or await work.mailbox.find_folder()
    if ours is not None and ours != found:
        raise Conflict("import_has_folder")
    return found


async def _look(work: MailboxWork, folder: str | None, desired: dict[str, Contact]) -> Adoption:
    if folder is None:
        return Adoption((), {}, 0, _digest(()))
    delta = await work.mailbox.delta(folder)
    work.mailbox.in_folder(folder)
    contacts = [(change.id, change.fields) for change in delta.changes if change.fields]
    marked = await work.mailbox.all_marks([id_ for id_, _ in contacts])
    taken = {key: id_ for id_, key in marked.items() if key is not None}
    foreign = [(id_, fields) for id_, fields in contacts if id_ not in marked]
    matches = await run_in_thread_if_large(
        len(foreign) + len(desired), match, foreign, desired, taken
    )
    names = {m.key: str(desired[m.key].fields.get("displayName", "")) for m in matches}
    return Adoption(matches, names, len(foreign) - len(matches), _digest(matches))


async def _mark(
    work: MailboxWork, folder: str | None, own_name: str | None, matches: tuple[Match, ...]
) -> int:
    if folder is None:
        return 0
    if own_name is not None:
        # Mark the folder first: if the worker dies then, its contacts can still be adopted.
        await work.mailbox.mark_folder(folder)
        await work.mailbox.rename_folder(folder, own_name)
    work.mailbox.in_folder(folder if own_name is not None else None)
    await work.forget_marks()
    progress = ApplyProgress()
    operations = [Adopt(m.key, m.id) for m in matches if m.duplicate_of is None]
    await apply_plan(work.mailbox, operations, progress, None, work.may_send)
    return len(progress.done)


def _digest(matches: tuple[Match, ...]) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for found in sorted(matches, key=lambda m: m.id):
        digest.update(f"{found.id}\0{found.key}\0{found.duplicate_of}\n".encode())
    return digest.hexdigest()
