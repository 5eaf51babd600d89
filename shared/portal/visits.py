"""One request of a browser, and what is answered: a page, a redirect, or a file to keep."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self
from urllib.parse import urlsplit

import azure.functions as func

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.sealing import Purpose
from shared.domain.errors import (
    CallerError,
    ContactSyncError,
    Defect,
    NeedsAdmin,
    NotFound,
    TransientError,
    Unauthenticated,
)
from shared.domain.tenancy.tenants import Tenant
from shared.portal import rendering, sessions
from shared.portal.sessions import Notice, Undo
from shared.services.sharing.directory_search import EntryKind
from shared.web.admission import WRITERS, Requirement, admit, holds
from shared.web.error_texts import Speech
from shared.web.validation import is_id
from shared.wiring.app import App

_log = logging.getLogger(__name__)
_NAMED: Final = 300
SWITCH: Final = "language"
"""The field by which a form asks to be shown again in another language."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a handler answers: a template with its values, a redirect, or a file to keep.

    `keep` are values that the browser keeps, sealed, by their purpose; `drop` ends such keeping.
    A `notice` is shown by the page that `location` leads to. A handler that lets anybody in tells
    the `tenant` itself.
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
    """A file that the browser stores: its name, type and content."""

    name: str
    mimetype: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a browser: `someone` is signed in, of a `tenant` that has joined.

    `switched` if its form was sent for another language only, to be shown again as it was typed.
    `network` is where it came from, cut so that it names nobody.
    """

    app: App
    request: func.HttpRequest
    language: str
    network: str = ""
    someone: Caller | None = None
    tenant: Tenant | None = None
    notice: Mapping[str, Any] | None = None
    switched: bool = False

    @property
    def caller(self) -> Caller:
        """Who is signed in; raises `Unauthenticated`."""
        if self.someone is None:
            raise Unauthenticated("not_signed_in")
        return self.someone

    @property
    def own_tenant(self) -> Tenant:
        """The visitor's company; raises `Defect` on a page that any company may open."""
        if self.tenant is None:
            raise Defect(f"{self.path} reads the tenant, but does not require one.")
        return self.tenant

    @property
    def may_write(self) -> bool:
        """Whether who is signed in may change things."""
        return self.someone is not None and holds(self.someone, WRITERS)

    async def admitted(self, access: Requirement) -> Self:
        """The visit of somebody who may go on.

        Raises `Unauthenticated`, and what `admit` raises.
        """
        found = await admit(self.app, self.caller, access)
        return replace(self, someone=found.caller, tenant=found.tenant)

    @property
    def path(self) -> str:
        """The path that was asked for, with its query."""
        parts = urlsplit(str(self.request.url))
        return f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""
        return {str(name): str(value) for name, value in self.request.params.items()}

    @property
    def form(self) -> Any:
        """The fields of the form that was sent, with `get` and `getlist`; empty if none was."""
        return self.request.form

    @property
    def do(self) -> str:
        """The button of the form that was pressed; '' if none was."""
        return "" if self.switched else str(self.form.get("do", ""))

    def wants(self, *parts: str) -> bool:
        """Whether any of these parts of the page will be shown: our script asks for some only."""
        asked = str(self.request.headers.get("X-Parts", "")).split()
        return not asked or any(part in asked for part in parts)

    @property
    def id(self) -> str:
        """The id in the path; `NotFound` if no id of ours looks like it."""
        return self.segment("id")

    def segment(self, name: str) -> str:
        """A part of the path; `NotFound` if no id of ours looks like it."""
        value = str(self.request.route_params[name])
        if not is_id(value):
            raise NotFound("unknown_id")
        return value

    @property
    def speech(self) -> Speech:
        """The words of errors in the visitor's language."""
        return rendering.speech(self.language)

    def gettext(self, text: str) -> str:
        """A text in the visitor's language."""
        return rendering.gettext(self.language)(text)

    def ngettext(self, one: str, many: str, num: int) -> str:
        """A text with a number (`%(num)s`) in the visitor's language."""
        return rendering.ngettext(self.language)(one, many, num)

    def wrong(self, error: CallerError | None) -> dict[str, str]:
        """What is wrong, in the visitor's language, by each field's JSON path, or '' for it all."""
        if error is None:
            return {}
        by_field = {e.field: self.speech.field(e) for e in error.errors}
        return by_field or {"": self.speech.of(error)}

    def trouble(self, error: ContactSyncError) -> str:
        """What stood in the way, and what to do, in the visitor's language.

        A fault of our own is raised again: it is not the visitor's to read.
        """
        match error:
            case CallerError():
                return next(iter(self.wrong(error).values()))
            case NeedsAdmin() | TransientError():
                return self.speech.of(error)
        raise error

    async def names(self, ids: Sequence[str], *kinds: EntryKind) -> dict[str, str]:
        """What the directory calls these (the first 300); whom it does not name is left out."""
        try:
            found = await self.app.sharing.directory.name(self.caller, ids[:_NAMED], kinds)
        except ContactSyncError as error:
            _log.warning("the names of %d of %s cannot be read: %s", len(ids), kinds, error)
            return {}
        return {id_: entry.name for id_, entry in found.items()}

    async def addresses(self, mailboxes: Sequence[str]) -> dict[str, str]:
        """The mail addresses of mailboxes, as the directory has them now; none if it is silent."""
        if not mailboxes:
            return {}
        try:
            return await self.app.base.directory.addresses(self.caller.tenant, mailboxes)
        except ContactSyncError as error:
            _log.warning("the addresses of %d mailboxes cannot be read: %s", len(mailboxes), error)
            return {}

    async def kept(self, purpose: Purpose) -> dict[str, Any] | None:
        """What this browser keeps for a purpose; None if there is nothing, or it is too old."""
        return await self.app.entra.seal.open(purpose, sessions.cookie(self.request, purpose.name))


def done(location: str, text: str, *, undo: Undo | None = None) -> Page:
    """Lead to a page that says what was done."""
    return Page(location=location, notice=Notice(text, undo))
