"""Operations that Graph refuses: what each refusal means, and how long we wait."""

import asyncio

import pytest

from shared.domain.contacts.fields import Contact
from shared.domain.contacts.plan import Create, Delete, SetPhoto
from shared.domain.errors import NeedsAdmin
from shared.domain.reasons import Reason
from shared.services.sync.applying import ApplyProgress, apply_plan
from tests.unit.sharing.simulated_graph import Json, SimulatedGraph
from tests.unit.sync.mailbox import USER, work_in

PUT_PHOTO = "PUT /users/{id}/contacts/{id}/photo/$value"
CREATE = Create("u-1", Contact.of("u-1", {"displayName": "Ann"}))


def failing(path: str, status: int, code: str, times: int = 1_000) -> SimulatedGraph:
    graph = SimulatedGraph()
    effect: Json = {"status": status, "body": {"error": {"code": code, "message": ""}}}
    graph.fail(path, effect, times)
    return graph


async def test_denied_delete_of_a_contact_with_values_of_the_users_ends_the_mailbox() -> None:
    work = work_in(failing("/contacts/c-1$", 403, "ErrorAccessDenied"))

    with pytest.raises(NeedsAdmin) as refused:
        await apply_plan(work.mailbox, [Delete("u-1", "c-1")], ApplyProgress(), None, work.may_send)

    assert refused.value.reason is Reason.ACCESS_DENIED


@pytest.mark.parametrize("status", [409, 412, 500])
async def test_create_that_fails_for_a_moment_is_sent_again_after_a_second(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    graph = failing("/contacts$", status, "ErrorIrresolvableConflict", times=1)
    work, progress = work_in(graph), ApplyProgress()
    monkeypatch.setattr(asyncio, "sleep", sleep)

    await apply_plan(work.mailbox, [CREATE], progress, None, work.may_send)

    assert [operation for operation, _ in progress.done] == [CREATE]
    assert [pause for pause in pauses if pause] == [1.0]


@pytest.mark.parametrize(("alphabet", "asked"), [("standard", 3), ("urlSafe", 5)])
async def test_photos_are_sent_in_the_base64_alphabet_that_graph_takes(
    alphabet: str, asked: int
) -> None:
    graph, image = SimulatedGraph(), b"\xff\xd8\xff\xfb\xbf"
    graph.server.quirks.set({"batchPhotos": alphabet})
    work, progress = work_in(graph), ApplyProgress()
    creates = [Create(key, Contact.of(key, {"displayName": key})) for key in ("u-1", "u-2", "u-3")]
    await apply_plan(work.mailbox, creates, progress, None, work.may_send)
    photos = [SetPhoto(o.key, id_, "digest", image) for o, id_ in progress.done]

    for some in (photos[:2], photos[2:]):
        await apply_plan(work.mailbox, some, progress, None, work.may_send)

    assert (progress.photos, progress.rejected) == (3, [])
    contacts = graph.tenant.mailboxes[USER].default.contacts.values()
    assert [contact.photo for contact in contacts] == [image] * 3
    assert graph.asked(PUT_PHOTO) == asked


async def test_photo_that_graph_refuses_in_both_alphabets_is_rejected_alone() -> None:
    graph = failing("/contacts/c-1/photo", 400, "ErrorInvalidImage")
    work, progress = work_in(graph), ApplyProgress()

    await apply_plan(
        work.mailbox, [SetPhoto("u-1", "c-1", "digest", b"x")], progress, None, work.may_send
    )

    assert [(r.key, r.code) for r in progress.rejected] == [("u-1", "400 ErrorInvalidImage")]
