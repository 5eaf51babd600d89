"""What errors of Microsoft Graph mean: a denied mailbox, missing consent, a wait, a defect."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from shared.adapters.entra.credentials import AppCredentials
from shared.adapters.graph import directory
from shared.adapters.graph.mailboxes.answers import missing_mailbox
from shared.adapters.graph.mailboxes.mailbox import Mailbox
from shared.adapters.graph.transport import Graph, GraphSession
from shared.adapters.graph.wire import SdkWire
from shared.domain.contacts.plan import Delete
from shared.domain.errors import Defect, NeedsAdmin, Refused, Throttled, TransientError, Unavailable
from shared.domain.reasons import Reason
from shared.wiring.settings import Settings
from tests.local.client import Json
from tests.local.cloud import LocalCloud
from tests.world import World

DIRECTORY_ONLY = ["User.Read.All", "GroupMember.Read.All", "OrgContact.Read.All"]

type Call = Callable[[Mailbox], Awaitable[object]]

CALLS: dict[str, Call] = {
    "find_folder": lambda box: box.find_folder(),
    "folder_named": lambda box: box.folder_named("Old"),
    "create_folder": lambda box: box.create_folder("New"),
    "mark_folder": lambda box: box.mark_folder("f"),
    "rename_folder": lambda box: box.rename_folder("f", "New"),
    "default_folder": lambda box: box.default_folder(),
    "delta": lambda box: box.delta("f"),
    "marks": lambda box: box.marks(["c"]),
    "find": lambda box: box.find(["u-1"]),
    "remove_folder": lambda box: box.remove_folder("f"),
    "make_category": lambda box: box.make_category("Company", "preset1"),
}


@pytest.fixture
async def session(cloud: LocalCloud, world: World) -> AsyncIterator[GraphSession]:
    """Graph in the world's tenant; its token has the permissions of the first request."""
    settings = Settings.from_environment(cloud.environment)
    credentials = AppCredentials(settings.app_credential)
    endpoint = settings.graph_endpoint
    graph = Graph(endpoint, SdkWire(endpoint, credentials))
    yield graph.session(world.tenant)
    await graph.close()
    await credentials.close()


@pytest.fixture
def mailbox(session: GraphSession, world: World) -> Mailbox:
    return Mailbox(session, world.targets[0], "import-1")


async def inject_fault(world: World, path: str, effect: Json) -> None:
    await world.client.fault(path, effect, tenant=world.tenant)


@pytest.mark.parametrize("call", list(CALLS))
async def test_every_call_to_a_denied_mailbox_raises_access_denied(
    call: str, mailbox: Mailbox, world: World
) -> None:
    await world.client.consent(world.tenant, roles=DIRECTORY_ONLY)

    with pytest.raises(NeedsAdmin) as refused:
        await CALLS[call](mailbox)

    assert refused.value.reason is Reason.ACCESS_DENIED


async def test_write_to_a_denied_mailbox_returns_access_denied(
    mailbox: Mailbox, world: World
) -> None:
    await world.client.consent(world.tenant, roles=DIRECTORY_ONLY)

    (answer,) = await mailbox.apply([Delete("u-1", "c")], None)
    refusal = missing_mailbox(answer)

    assert refusal is not None
    assert refusal.reason is Reason.ACCESS_DENIED


@pytest.mark.parametrize("code", ["ErrorAccessDenied", "ExtensionError"])
async def test_batch_rejected_as_a_whole_raises_access_denied(
    code: str, mailbox: Mailbox, world: World
) -> None:
    await inject_fault(world, r"^/\$batch", {"status": 403, "body": {"error": {"code": code}}})

    with pytest.raises(NeedsAdmin) as refused:
        await mailbox.find(["u-1"])

    assert refused.value.reason is Reason.ACCESS_DENIED


async def test_finding_a_folder_without_a_mailbox_raises_no_mailbox(
    session: GraphSession, world: World
) -> None:
    user = {"id": "nobody-1", "displayName": "N", "mail": "n@x.example", "mailbox": False}
    await world.client.change_tenant(world.tenant, users=[user])

    with pytest.raises(NeedsAdmin) as refused:
        await Mailbox(session, "nobody-1", "import-1").folder_named("Old")

    assert refused.value.reason is Reason.NO_MAILBOX


async def test_denied_directory_raises_consent_missing(session: GraphSession, world: World) -> None:
    await world.client.consent(world.tenant, roles=["Contacts.ReadWrite"])

    for call in (
        directory.group(session, world.group, "id"),
        directory.mailboxes_by_id(session, world.targets),
        directory.users_by_id(session, world.targets, "id"),
        anext(directory.org_contacts(session, "id")),
        anext(directory.group_members(session, world.group, "id")),
    ):
        with pytest.raises(NeedsAdmin) as refused:
            await call
        assert refused.value.reason is Reason.CONSENT_MISSING
    await world.client.consent(world.tenant)


async def test_token_rejected_within_a_batch_is_transient(mailbox: Mailbox, world: World) -> None:
    await inject_fault(world, r"/contacts\?", {"status": 401})

    with pytest.raises(Unavailable):
        await mailbox.find(["u-1"])


async def test_bad_request_within_a_batch_raises_a_defect(mailbox: Mailbox, world: World) -> None:
    await inject_fault(world, r"/contacts\?", {"status": 400})

    with pytest.raises(Defect, match="400"):
        await mailbox.find(["u-1"])


async def test_other_permanent_errors_keep_their_status(mailbox: Mailbox, world: World) -> None:
    await inject_fault(world, r"/contacts\?", {"status": 412})

    with pytest.raises(Refused, match="412"):
        await mailbox.find(["u-1"])


@pytest.mark.parametrize(
    ("given", "seconds"), [("0", 0.0), ("0.5", 0.5), ("7", 7.0), (None, 1.0), ("soon", 1.0)]
)
@pytest.mark.parametrize(("status", "kind"), [(429, Throttled), (503, Unavailable)])
async def test_retry_after_of_graph_is_used(
    session: GraphSession,
    world: World,
    given: str | None,
    seconds: float,
    status: int,
    kind: type[TransientError],
) -> None:
    headers = {} if given is None else {"Retry-After": given}
    await inject_fault(world, "^/users", {"status": status, "headers": headers})

    with pytest.raises(kind) as refused:
        await session.request("GET", "/users", query={"$top": "1"})

    assert refused.value.retry_after == seconds
