"""The simulator's routes, named as in Graph."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.local.graph.directory.delta import DirectoryDelta
from tests.local.graph.directory.objects import DirectoryApi
from tests.local.graph.directory.odata import counted, counted_in_mailbox
from tests.local.graph.mailboxes.contacts import OutlookApi
from tests.local.graph.protocol import Answer

type Handler = Callable[..., Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A route: its template for counts, its pattern, and its handler."""

    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Handler
    mailbox: bool
    takes: tuple[str, ...]

    def counted(self, values: Mapping[str, str]) -> str:
        """Return the template for counts, with placeholders for ids only."""
        template = self.template
        for name in ("which", "cast"):
            if name in values:
                template = template.replace(f"{{{name}}}", values[name])
        return f"{self.method} {template}"


type _Row = tuple[str, str, Handler, bool, tuple[str, ...]]


def routes(d: DirectoryApi, delta: DirectoryDelta, o: OutlookApi) -> list[Route]:
    """Return all routes, the more specific ones first."""
    folder = "/users/{user}/contactFolders/{folder}"
    count_contacts = counted_in_mailbox(o.list_contacts)
    count_folders = counted_in_mailbox(o.list_folders)
    rows: list[_Row] = [
        ("GET", "/users/delta", delta.users, False, ()),
        ("GET", "/groups/delta", delta.groups, False, ()),
        ("GET", "/contacts/delta", delta.contacts, False, ()),
        ("GET", "/users/$count", counted(d.list_users), False, ()),
        ("GET", "/groups/$count", counted(d.list_groups), False, ()),
        ("GET", "/contacts/$count", counted(d.list_org_contacts), False, ()),
        ("GET", "/organization", d.list_organizations, False, ()),
        ("GET", "/users", d.list_users, False, ()),
        ("GET", "/users/{user}", d.get_user, False, ()),
        ("GET", "/users/{user}/manager", d.get_manager, False, ()),
        ("GET", "/groups", d.list_groups, False, ()),
        ("GET", "/groups/{id}", d.get_group, False, ()),
        ("GET", "/groups/{id}/{which:members|transitiveMembers}", d.list_members, False, ()),
        (
            "GET",
            r"/groups/{id}/{which:members|transitiveMembers}/{cast:microsoft\.graph\.\w+}",
            d.list_members,
            False,
            (),
        ),
        ("GET", "/contacts", d.list_org_contacts, False, ()),
        ("GET", "/contacts/{id}", d.get_org_contact, False, ()),
        ("POST", "/directoryObjects/getByIds", d.get_by_ids, False, ()),
        ("GET", "/users/{user}/contactFolders/$count", count_folders, True, ("folder",)),
        ("GET", f"{folder}/childFolders/$count", count_folders, True, ("folder",)),
        ("GET", "/users/{user}/contactFolders", o.list_folders, True, ("folder",)),
        ("POST", "/users/{user}/contactFolders", o.create_folder, True, ("folder",)),
        ("GET", folder, o.get_folder, True, ("folder",)),
        ("PATCH", folder, o.change_folder, True, ("folder",)),
        ("DELETE", folder, o.delete_folder, True, ("folder",)),
        ("POST", f"{folder}/permanentDelete", o.purge_folder, True, ("folder",)),
        ("GET", f"{folder}/childFolders", o.list_folders, True, ("folder",)),
        ("POST", f"{folder}/childFolders", o.create_folder, True, ("folder",)),
        ("GET", "/users/{user}/mailboxSettings/userPurpose", o.get_purpose, True, ()),
        ("GET", "/users/{user}/photo", o.describe_user_photo, True, ()),
        ("GET", "/users/{user}/photo/$value", o.get_user_photo, True, ()),
        (
            "DELETE",
            "/users/{user}/outlook/masterCategories/{category}",
            o.delete_category,
            True,
            ("category",),
        ),
        ("GET", "/users/{user}/outlook/masterCategories", o.list_categories, True, ()),
        ("POST", "/users/{user}/outlook/masterCategories", o.create_category, True, ()),
    ]
    for place in ("/users/{user}", folder):
        one, both = f"{place}/contacts/{{contact}}", ("folder", "contact")
        rows += [
            ("GET", f"{place}/contacts/delta", o.delta, True, ("folder",)),
            ("GET", f"{place}/contacts/$count", count_contacts, True, ("folder",)),
            ("GET", f"{place}/contacts", o.list_contacts, True, ("folder",)),
            ("POST", f"{place}/contacts", o.create_contact, True, ("folder",)),
            ("GET", one, o.get_contact, True, both),
            ("PATCH", one, o.change_contact, True, both),
            ("DELETE", one, o.delete_contact, True, both),
            ("POST", f"{one}/permanentDelete", o.purge_contact, True, both),
            ("GET", f"{one}/photo/$value", o.get_photo, True, both),
            ("PUT", f"{one}/photo/$value", o.put_photo, True, both),
            ("PATCH", f"{one}/photo/$value", o.put_photo, True, both),
            ("GET", f"{one}/photo", o.describe_photo, True, both),
        ]
    return [_route(*row) for row in rows]


def _route(
    method: str,
    template: str,
    handler: Handler,
    mailbox: bool,  # noqa: FBT001 - a column of the table
    takes: tuple[str, ...],
) -> Route:
    def group(match: re.Match[str]) -> str:
        return f"(?P<{match[1]}>{match[2] or '[^/]+'})"

    parts = re.split(r"(\{\w+(?::[^{}]+)?\})", template)
    pattern = "".join(
        re.sub(r"\{(\w+)(?::([^{}]+))?\}", group, part) if part.startswith("{") else re.escape(part)
        for part in parts
    )
    shown = re.sub(r"\{(\w+):[^{}]+\}", r"{\1}", template)
    shown = re.sub(r"\{(?:user|folder|contact|category)\}", "{id}", shown)
    return Route(method, shown, re.compile(pattern, re.IGNORECASE), handler, mailbox, takes)
