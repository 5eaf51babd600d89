"""One request of a browser, and its answer: a page, a redirect, or a download."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self
from urllib.parse import urlsplit

import azure.functions as func
from werkzeug.datastructures import ImmutableMultiDict

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.sealing import Purpose
from shared.domain.errors import (
    CallerError,
    ContactSyncError,
    Defect,
    NeedsAdmin,
    TransientError,
    Unauthenticated,
)
from shared.domain.tenancy.tenants import Tenant
from shared.portal import rendering, sessions
from shared.portal.sessions import Notice, Undo
from shared.services.idempotency import Execution
from shared.services.sharing.directory_search import EntryKind
from shared.web.admission import WRITERS, Requirement, admit, holds, require_fresh
from shared.web.texts.errors import ErrorTexts
from shared.web.validation import valid_id
from shared.wiring.app import App

_log = logging.getLogger(__name__)
_NAMED: Final = 300
_NO_FORM: Final = ImmutableMultiDict[str, str]()
MAX_SEARCH: Final = 100
"""Characters of a text to search for, as in the pages' fields: in a query, up to 12 bytes each."""
SWITCH: Final = "language"
"""The field with which a form requests itself in another language."""


@dataclass(frozen=True, slots=True)
class Page:
    """The answer of a handler: a template with its values, a redirect, or a download.

    `keep` has the values to store in the browser, encrypted, by purpose; `drop` removes some. The
    page at `location` shows the `notice`. A handler without required roles sets the `tenant`
    itself.
    """

    template: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    location: str = ""
    notice: Notice | None = None
    keep: Mapping[Purpose, Mapping[str, Any]] = field(default_factory=dict)
    drop: tuple[Purpose, ...] = ()
    file: "File | None" = None
    language: str = ""
    tenant: Tenant | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file to download: its name, type and content."""

    name: str
    mimetype: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a browser: the signed-in caller (`someone`) and the joined `tenant`.

    `switched` means that the form was sent only to be shown in another language. `network` is the
    caller's network, shortened so that it identifies nobody. `form` has the fields of an accepted
    form, with `get` and `getlist`; it is empty if none was sent or accepted (`sent_forms.py`).
    """

    app: App
    request: func.HttpRequest
    language: str
    network: str = ""
    someone: Caller | None = None
    tenant: Tenant | None = None
    notice: Mapping[str, Any] | None = None
    switched: bool = False
    form: Any = _NO_FORM

    @property
    def caller(self) -> Caller:
        """Return the signed-in caller. Raises `Unauthenticated` if there is none."""
        if self.someone is None:
            raise Unauthenticated("not_signed_in")
        return self.someone

    @property
    def own_tenant(self) -> Tenant:
        """Return the caller's tenant. Raises `Defect` on a page that any company may open."""
        if self.tenant is None:
            raise Defect(f"{self.path} reads the tenant, but does not require one.")
        return self.tenant

    @property
    def may_write(self) -> bool:
        """Return whether the caller may change things."""
        return self.someone is not None and holds(self.someone, WRITERS)

    def require_fresh(self) -> None:
        """Raise `SignInTooOld` if the caller signed in too long ago for what cannot be undone."""
        require_fresh(self.app, self.caller)

    def once(self) -> Execution:
        """Return the execution of a form that may be sent again and again."""
        return self.app.idempotency.once()

    async def admitted(self, access: Requirement) -> Self:
        """Return the visit of an admitted caller.

        Raises `Unauthenticated`, and what `admit` raises.
        """
        found = await admit(self.app, self.caller, access)
        return replace(self, someone=found.caller, tenant=found.tenant)

    @property
    def path(self) -> str:
        """The requested path with its query."""
        parts = urlsplit(str(self.request.url))
        return f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the query."""
        return {str(name): str(value) for name, value in self.request.params.items()}

    @property
    def search(self) -> str:
        """The text to search for in the query."""
        return self.query.get("q", "").strip()[:MAX_SEARCH]

    @property
    def do(self) -> str:
        """The button that was pressed; '' if there is none."""
        return "" if self.switched else str(self.form.get("do", ""))

    def wants(self, *parts: str) -> bool:
        """Return whether the page needs any of these parts; the script requests only some."""
        asked = str(self.request.headers.get("X-Parts", "")).split()
        return not asked or any(part in asked for part in parts)

    @property
    def id(self) -> str:
        """The id in the path. Raises `NotFound` if it is not a valid id."""
        return self.segment("id")

    def segment(self, name: str) -> str:
        """Return a part of the path. Raises `NotFound` if it is not a valid id."""
        return valid_id(str(self.request.route_params[name]))

    @property
    def error_texts(self) -> ErrorTexts:
        """The texts of errors in the caller's language."""
        return rendering.error_texts(self.language)

    def gettext(self, text: str) -> str:
        """Translate a text into the caller's language."""
        return rendering.gettext(self.language)(text)

    def ngettext(self, one: str, many: str, num: int) -> str:
        """Translate a text with a number (`%(num)s`) into the caller's language."""
        return rendering.ngettext(self.language)(one, many, num)

    def wrong(self, error: CallerError | None) -> dict[str, str]:
        """Return the errors in the caller's language by JSON path; '' stands for the whole form."""
        if error is None:
            return {}
        by_field = {e.field: self.error_texts.field(e) for e in error.errors}
        return by_field or {"": self.error_texts.of(error)}

    def trouble(self, error: ContactSyncError) -> str:
        """Return the text of an error in the caller's language.

        Raises the error again if it is a defect of the app.
        """
        match error:
            case CallerError():
                return next(iter(self.wrong(error).values()))
            case NeedsAdmin() | TransientError():
                return self.error_texts.of(error)
        raise error

    async def names(self, ids: Sequence[str], *kinds: EntryKind) -> dict[str, str]:
        """Return the directory's names of some ids (the first 300); unknown ids are left out."""
        try:
            found = await self.app.sharing.directory.name(self.caller, ids[:_NAMED], kinds)
        except ContactSyncError as error:
            _log.warning("the names of %d of %s cannot be read: %s", len(ids), kinds, error)
            return {}
        return {id_: entry.name for id_, entry in found.items()}

    async def addresses(self, mailboxes: Sequence[str]) -> dict[str, str]:
        """Return the current addresses of mailboxes; empty if the directory is unavailable."""
        if not mailboxes:
            return {}
        try:
            return await self.app.base.directory.addresses(self.caller.tenant, mailboxes)
        except ContactSyncError as error:
            _log.warning("the addresses of %d mailboxes cannot be read: %s", len(mailboxes), error)
            return {}

    async def kept(self, purpose: Purpose) -> dict[str, Any] | None:
        """Return the value stored in this browser for a purpose; None if absent or expired."""
        return await self.app.entra.seal.open(purpose, sessions.cookie(self.request, purpose.name))


def done(location: str, text: str, *, undo: Undo | None = None) -> Page:
    """Redirect to a page that says what was done."""
    return Page(location=location, notice=Notice(text, undo))
