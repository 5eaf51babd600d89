"""The control interface `/_sim`: directories, changes by a mailbox's user, faults, counts."""

import base64
import copy
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from tests.local.graph.directory.objects import Directory
from tests.local.graph.mailboxes.mailbox import Folder, Mailbox, shown_contact, shown_id
from tests.local.graph.protocol import GraphError
from tests.local.graph.quirks import Value
from tests.local.graph.server import GraphServer, Tenant
from tests.local.graph.strict.bodies import check_values

_ASSIGNABLE = (
    "Contacts.Read",
    "Contacts.ReadWrite",
    "MailboxSettings.Read",
    "MailboxSettings.ReadWrite",
)


class Control:
    """Handlers of the control interface."""

    def __init__(self, server: GraphServer) -> None:
        self._server = server

    async def put_tenant(self, http: web.Request) -> web.Response:
        """Create or replace a tenant's directory. Mailboxes of remaining users are kept."""
        body = await _json(http)
        tenant = self._server.tenant(str(body["tenant"]))
        tenant.directory = Directory()
        self._fill(tenant, body)
        for user in set(tenant.mailboxes) - set(tenant.directory.users):
            del tenant.mailboxes[user]
        return _answer({"tenant": body["tenant"], "users": len(tenant.directory.users)})

    async def patch_tenant(self, http: web.Request) -> web.Response:
        """Add or change users, groups and contacts by id."""
        body = await _json(http)
        tenant = self._server.tenant(str(body["tenant"]))
        self._fill(tenant, body)
        return _answer({"tenant": body["tenant"], "users": len(tenant.directory.users)})

    async def set_rbac(self, http: web.Request) -> web.Response:
        """Replace the app's role assignments in Exchange, each with the mailboxes in its scope.

        `{"tenant", "assignments": [{"role": "Application Contacts.Read", "mailboxes": [ids]}]}`
        """
        body = await _json(http)
        self._server.tenant(str(body["tenant"])).assignments = [
            (_permission(str(a["role"])), frozenset(map(str, a["mailboxes"])))
            for a in body["assignments"]
        ]
        return _answer({"tenant": body["tenant"], "assignments": len(body["assignments"])})

    def _fill(self, tenant: Tenant, body: dict[str, Any]) -> None:
        directory, tenant.names = tenant.directory, None
        for kind in ("users", "groups", "contacts"):
            known = getattr(directory, kind)
            for item in body.get(kind) or ():
                known[item["id"]] = {**known.get(item["id"], {}), **copy.deepcopy(item)}
        directory.domains = list(body.get("domains") or directory.domains)
        for user in directory.users.values():
            wanted = user.get(
                "mailbox", bool(user.get("mail")) and user.get("accountEnabled", True)
            )
            if wanted:
                box = tenant.mailboxes.setdefault(user["id"], Mailbox())
                box.purpose = str(user.get("userPurpose", "user"))
            elif user.get("mailbox") is False:
                tenant.mailboxes.pop(user["id"], None)
        for user, photo in (body.get("photos") or {}).items():
            if user in tenant.mailboxes:
                tenant.mailboxes[user].photo = base64.b64decode(photo) if photo else None

    async def delete_user(self, http: web.Request) -> web.Response:
        """Delete a user with its mailbox and memberships."""
        tenant = self._server.tenant(http.match_info["tenant"])
        user = http.match_info["user"]
        if tenant.directory.users.pop(user, None) is None:
            raise web.HTTPNotFound
        tenant.mailboxes.pop(user, None)
        tenant.names = None
        for group in tenant.directory.groups.values():
            group["members"] = [m for m in group.get("members", ()) if m != user]
        return _answer({"deleted": user})

    async def add_fault(self, http: web.Request) -> web.Response:
        return _answer({"id": self._server.faults.add(await _json(http))})

    async def clear_faults(self, http: web.Request) -> web.Response:
        del http
        self._server.faults.clear()
        return _answer({})

    async def show_quirks(self, http: web.Request) -> web.Response:
        """List the quirks, each with its values and what it does."""
        del http
        return _answer(self._server.quirks.as_json())

    async def set_quirks(self, http: web.Request) -> web.Response:
        """Set quirks: `{"tenant"?, name: value}`; null restores a default."""
        self._server.quirks.set(await _json(http))
        return _answer(self._server.quirks.as_json())

    async def reset_quirks(self, http: web.Request) -> web.Response:
        del http
        self._server.quirks.reset()
        return _answer({})

    async def requests(self, http: web.Request) -> web.Response:
        del http
        return _answer(self._server.meter.as_json())

    async def reset_requests(self, http: web.Request) -> web.Response:
        del http
        self._server.meter.reset()
        return _answer({})

    async def set_latency(self, http: web.Request) -> web.Response:
        self._server.item_seconds = float((await _json(http))["item_ms"]) / 1000
        return _answer({})

    async def expire_delta(self, http: web.Request) -> web.Response:
        body = await _json(http)
        self._server.outlook.expire_delta(body.get("tenant"))
        self._server.delta.expire(body.get("tenant"))
        return _answer({})

    async def mailbox(self, http: web.Request) -> web.Response:
        """Return everything in a mailbox, including marks."""
        mailbox = self._mailbox(http)
        folders = sorted(mailbox.folders.values(), key=lambda f: not f.default)
        body = {
            "folders": [_shown_folder(f) for f in folders],
            "categories": mailbox.categories,
            "deletedItems": {
                "folders": [_shown_folder(f) for f in mailbox.bin.values()],
                "contacts": [
                    shown_contact(mailbox.default, c, None, immutable=True)
                    for c in mailbox.trash.contacts.values()
                ],
            },
        }
        return _answer(body)

    async def add_contact(self, http: web.Request) -> web.Response:
        mailbox, body = self._mailbox(http), await _json(http)
        folder = self._folder(mailbox, body.pop("folder", None))
        check_values("contact", "POST", body)
        contact = mailbox.add_contact(folder, body)
        return _answer(shown_contact(folder, contact, None, immutable=True))

    async def add_folder(self, http: web.Request) -> web.Response:
        mailbox, body = self._mailbox(http), await _json(http)
        folder = mailbox.add_folder(body, mailbox.default.core)
        return _answer({"id": shown_id(folder.core, immutable=True)})

    async def change_contact(self, http: web.Request) -> web.Response:
        mailbox, body = self._mailbox(http), await _json(http)
        folder, contact = mailbox.contact(http.match_info["contact"])
        check_values("contact", "PATCH", body)
        mailbox.change_contact(folder, contact, body)
        return _answer(shown_contact(folder, contact, None, immutable=True))

    async def delete_contact(self, http: web.Request) -> web.Response:
        mailbox = self._mailbox(http)
        mailbox.bin_contact(*mailbox.contact(http.match_info["contact"]))
        return _answer({})

    async def move_contact(self, http: web.Request) -> web.Response:
        """Move a contact to another folder, `{"folder": name or id}`; null is the default one."""
        mailbox, body = self._mailbox(http), await _json(http)
        _, contact = mailbox.contact(http.match_info["contact"])
        ghosts = self._quirk(http, "movedBack") == "removed"
        mailbox.move_contact(contact, self._folder(mailbox, body["folder"]), ghosts=ghosts)
        return _answer({})

    async def rename_folder(self, http: web.Request) -> web.Response:
        mailbox, body = self._mailbox(http), await _json(http)
        mailbox.rename_folder(self._folder(mailbox, http.match_info["folder"]), body["displayName"])
        return _answer({})

    async def delete_folder(self, http: web.Request) -> web.Response:
        mailbox = self._mailbox(http)
        folder = self._folder(mailbox, http.match_info["folder"])
        if self._quirk(http, "deletedFolder") == "gone":
            mailbox.remove_folder(folder)
        else:
            mailbox.bin_folder(folder)
        return _answer({})

    async def move_folder(self, http: web.Request) -> web.Response:
        """Move a folder below another one, `{"folder": name or id}`; null: beside the default.

        A folder in Deleted Items, given by its id, is restored.
        """
        mailbox, body = self._mailbox(http), await _json(http)
        above = body["folder"]
        moved = self._folder(mailbox, http.match_info["folder"])
        if moved.core in mailbox.bin:
            mailbox.restore_folder(moved)
        core = self._folder(mailbox, above).core if above is not None else mailbox.root
        moved.parent = core
        return _answer({})

    def _quirk(self, http: web.Request, name: str) -> Value:
        return self._server.quirks.of(http.match_info["tenant"])[name]

    def _mailbox(self, http: web.Request) -> Mailbox:
        tenant = self._server.tenants.get(http.match_info["tenant"])
        found = tenant.mailboxes.get(http.match_info["user"]) if tenant else None
        if found is None:
            raise web.HTTPNotFound(text="no such mailbox")
        return found

    def _folder(self, mailbox: Mailbox, wanted: str | None) -> Folder:
        if wanted is None:
            return mailbox.default
        for folder in mailbox.folders.values():
            if folder.name == wanted:
                return folder
        return mailbox.folder(wanted)


def _permission(role: str) -> str:
    """Return the permission of an Exchange role for apps (docs: application-rbac)."""
    kind, _, permission = role.partition(" ")
    if kind != "Application" or permission not in _ASSIGNABLE:
        message = f"Exchange has no role '{role}'"
        raise ValueError(message)
    return permission


def _shown_folder(folder: Folder) -> dict[str, Any]:
    contacts = []
    for contact in folder.contacts.values():
        shown = shown_contact(folder, contact, None, immutable=True)
        shown["singleValueExtendedProperties"] = [
            {"id": id_, "value": value} for id_, value in contact.extended.items()
        ]
        if contact.photo is not None:
            shown["photo"] = base64.b64encode(contact.photo).decode()
        contacts.append(shown)
    return {
        "id": shown_id(folder.core, immutable=True),
        "displayName": folder.name,
        "default": folder.default,
        "singleValueExtendedProperties": [
            {"id": id_, "value": value} for id_, value in folder.extended.items()
        ],
        "contacts": contacts,
    }


async def _json(http: web.Request) -> dict[str, Any]:
    raw = await http.read()
    try:
        body = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError as error:
        raise web.HTTPBadRequest(text="not JSON") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="not a JSON object")
    return body


def _answer(body: Any) -> web.Response:
    return web.Response(body=orjson.dumps(body), content_type="application/json")


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        response = await handler(request)
    except GraphError as error:
        body = orjson.dumps(error.answer().body)
        return web.Response(status=error.status, body=body, content_type="application/json")
    except (KeyError, TypeError, ValueError) as error:
        if not request.path.startswith("/_sim"):
            raise
        return web.Response(status=400, text=f"bad control request: {error!r}")
    return response


def add_control(app: web.Application, server: GraphServer) -> None:
    """Add the control interface of a simulator to its application."""
    control = Control(server)
    app.middlewares.append(_refusals)
    box = "/_sim/mailboxes/{tenant}/{user}"
    app.add_routes(
        [
            web.post("/_sim/tenants", control.put_tenant),
            web.patch("/_sim/tenants", control.patch_tenant),
            web.delete("/_sim/tenants/{tenant}/users/{user}", control.delete_user),
            web.post("/_sim/rbac", control.set_rbac),
            web.post("/_sim/faults", control.add_fault),
            web.delete("/_sim/faults", control.clear_faults),
            web.get("/_sim/quirks", control.show_quirks),
            web.post("/_sim/quirks", control.set_quirks),
            web.delete("/_sim/quirks", control.reset_quirks),
            web.get("/_sim/requests", control.requests),
            web.delete("/_sim/requests", control.reset_requests),
            web.post("/_sim/latency", control.set_latency),
            web.post("/_sim/expire-delta", control.expire_delta),
            web.get(box, control.mailbox),
            web.post(f"{box}/contacts", control.add_contact),
            web.post(f"{box}/folders", control.add_folder),
            web.patch(f"{box}/contacts/{{contact}}", control.change_contact),
            web.delete(f"{box}/contacts/{{contact}}", control.delete_contact),
            web.post(f"{box}/contacts/{{contact}}/move", control.move_contact),
            web.patch(f"{box}/folders/{{folder}}", control.rename_folder),
            web.delete(f"{box}/folders/{{folder}}", control.delete_folder),
            web.post(f"{box}/folders/{{folder}}/move", control.move_folder),
        ]
    )
