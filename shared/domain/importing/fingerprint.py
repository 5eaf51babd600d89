"""One hash over everything a mailbox should contain: contacts, and settings that affect them.

A mailbox that already has this fingerprint, and whose folder has not changed, needs no work.
Every field of an import and its share goes into the hash, including fields added later, except
those listed in `NO_EFFECT` with a reason.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from shared.domain.contacts.fields import Contact, fingerprint
from shared.domain.importing.imports import Import
from shared.domain.sharing.shares import Share

_RUNS: Final = "decides which mailboxes are synced and when, not what they contain"
_GUARD: Final = "decides what needs approval; a held mailbox has no fingerprint"
_RECORD: Final = "is recorded by the service, not set by an admin"
_CONTACTS: Final = "decides which contacts there are; the hash covers the content of each"
_ACCESS: Final = "decides who may import the share, not what it contains"

NO_EFFECT: Final[Mapping[str, str]] = {
    "import.id": "is part of each contact's mark, and never changes",
    "import.name": "is shown to admins only",
    "import.share_id": "never changes",
    "import.own_share": "never changes",
    "import.targets.users": _RUNS,
    "import.targets.groups": _RUNS,
    "import.guard.deletes": _GUARD,
    "import.guard.delete_share": _GUARD,
    "import.guard.changes": _GUARD,
    "import.guard.change_share": _GUARD,
    "import.guard.creates": _GUARD,
    "import.guard.create_share": _GUARD,
    "import.schedule.every_hours": _RUNS,
    "import.active": _RUNS,
    "import.created": _RECORD,
    "import.changed": _RECORD,
    "import.removing": "ends syncing: contacts are removed regardless of the fingerprint",
    "share.id": "is the share's, and never changes",
    "share.share_id": _ACCESS,
    "share.retired": _ACCESS,
    "share.kept": _ACCESS,
    "share.rotated": _ACCESS,
    "share.approved": _ACCESS,
    "share.access.approval": _ACCESS,
    "share.name": "is shown to admins only",
    "share.sources": _CONTACTS,
    "share.fields": _CONTACTS,
    "share.access.rule": _ACCESS,
    "share.access.tenants": _ACCESS,
    "share.access.expires": _ACCESS,
    "share.blocked": _ACCESS,
    "share.created": _RECORD,
    "share.changed": _RECORD,
}
"""The fields that do not affect what a mailbox contains, by path, each with the reason."""


def run_fingerprint(contacts: Iterable[Contact], import_: Import, share: Share) -> str:
    """Return one hash over what an import's mailboxes should contain, and where."""
    held = {"import": import_.model_dump(mode="json"), "share": share.model_dump(mode="json")}
    settings = {path: value for path, value in _leaves(held) if path not in NO_EFFECT}
    text = f"{fingerprint(contacts)}\n{json.dumps(settings, sort_keys=True)}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value with its path, such as `import.guard.deletes`; a list is one value."""
    for name, value in values.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping) and path not in NO_EFFECT:
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value
