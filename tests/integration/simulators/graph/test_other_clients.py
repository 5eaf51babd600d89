"""Other clients can talk to the Graph simulator: O365, and Microsoft's for JavaScript."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from O365 import Account, MSGraphProtocol
from O365.address_book import Contact, ContactFolder
from O365.utils.token import MemoryTokenBackend
from requests import Session

from tests.integration.engine.graph import graph_token
from tests.local.cloud import LocalCloud
from tests.sources import ROOT
from tests.world import World

_CLIENT = ROOT / "tests/local/node_modules/@microsoft/microsoft-graph-client"
_JPEG = b"\xff\xd8photo"


def o365(graph: str, token: str, user: str) -> ContactFolder:
    """Return a mailbox's contacts as O365 sees them, signed in with a token.

    Not `Account.address_book`: it takes every folder that it returns for the default one, so that
    renaming and deleting them sends nothing.
    """
    protocol = MSGraphProtocol(default_resource=f"users/{user}")
    protocol.service_url = f"{graph}/"
    account = Account(
        ("an id", "a secret"),
        protocol=protocol,
        main_resource=f"users/{user}",
        token_backend=MemoryTokenBackend(),
        requests_delay=0,
        request_retries=0,
    )
    account.con.session = Session()
    account.con.session.headers["Authorization"] = f"Bearer {token}"
    return ContactFolder(parent=account, main_resource=f"users/{user}", root=True)


def with_o365(book: ContactFolder) -> dict[str, Any]:
    """Do what O365 can do with folders and contacts, and return what it saw."""
    team, other = book.create_child_folder("Team"), book.create_child_folder("Other")
    inner = other.create_child_folder("Inner")
    seen: dict[str, Any] = {
        "found": book.get_folder(folder_name="Team").folder_id == team.folder_id,
        "renamed": team.update_folder_name("Group") and team.name,
        "moved": team.move_folder(other) and team.parent_id == other.folder_id,
        "inside": sorted(folder.name for folder in other.get_folders()),
        "inner": inner.parent_id == other.folder_id,
    }
    for number in range(12):
        contact = Contact(parent=book)
        contact.name, contact.surname = f"N{number:02d}", "Lovelace"
        contact.emails.add(f"n{number}@x.example")
        contact.save()
    contact.job_title, contact.business_address = "Countess", {"city": "London"}
    seen["changed"] = contact.save()
    seen["photo"] = contact.update_profile_photo(_JPEG) and contact.get_profile_photo()
    pages = book.get_contacts(limit=None, batch=5)
    seen["all"] = len([one for one in pages if one.surname == "Lovelace"])
    newest = book.get_contacts(limit=1, order_by="givenName desc")
    seen["newest"] = [(one.name, one.business_address.get("city")) for one in newest]
    by_mail = "emailAddresses/any(a:a/address eq 'n3@x.example')"
    seen["by mail"] = [one.name for one in book.get_contacts(query=by_mail)]
    seen["deleted"] = contact.delete(), team.delete(), other.delete()
    seen["left"] = [folder.name for folder in book.get_folders()]
    book.con.session.close()
    return seen


async def test_o365_changes_folders_and_contacts(world: World) -> None:
    token = await graph_token(world.client, world.tenant)
    book = o365(world.client.addresses["graph"], token, world.targets[0])
    assert await asyncio.to_thread(with_o365, book) == {
        "found": True,
        "renamed": "Group",
        "moved": True,
        "inside": ["Group", "Inner"],
        "inner": True,
        "changed": True,
        "photo": _JPEG,
        "all": 12,
        "newest": [("N11", "London")],
        "by mail": ["N03"],
        "deleted": (True, True, True),
        "left": [],
    }


async def test_javascript_client_follows_links_over_https(cloud: LocalCloud, world: World) -> None:
    """It sends its token over https only, so next links lead there too."""
    graph = cloud.addresses["graphHttps"]
    token = await graph_token(world.client, world.tenant)
    script = Path(__file__).with_name("javascript_client.cjs")
    process = await asyncio.create_subprocess_exec(
        "node", str(script), str(_CLIENT),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": cloud.addresses["caFile"]},
    )  # fmt: skip
    given = {"graph": graph, "token": token, "user": world.targets[0]}
    output, _ = await process.communicate(json.dumps(given).encode())
    assert process.returncode == 0
    seen = json.loads(output)
    assert seen.pop("nextLink").startswith(f"{graph}/users")
    assert seen == {
        "names": 25,
        "changed": ["Countess"],
        "written": 200,
        "photo": [255, 216, 62, 63, 255],
        "read": "Writer",
        "folder": "Renamed",
        "refused": [404, "ErrorItemNotFound"],
    }
