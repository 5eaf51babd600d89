"""Notices over HTTP: a webhook is set on the page, and told of changes that wait for a review."""

import json
import re
from typing import Any

from tests.end_to_end.browser import Browser
from tests.end_to_end.checks import problem
from tests.end_to_end.signed_in import browser_of, text_of
from tests.local.client import Client
from tests.webhook_sink import webhook_sink
from tests.world import World

PAGE = "/settings/notices"


async def test_webhook_set_on_the_page_is_told_of_held_changes(
    client: Client, world: World, ada: Browser
) -> None:
    share = (await world.share())["id"]
    made = await world.import_(share, guard={"deletes": 0, "deleteShare": 0})
    async with webhook_sink() as sink:
        empty = await ada.open(PAGE)
        refused = await ada.submit(empty, PAGE, do="set:webhook", url="https://10.0.0.1/")
        shown = await ada.submit(refused, PAGE, do="set:webhook", url=f"{sink.url}/hook")
        secret = re.search(r"whsec_[A-Za-z0-9+/=]+", shown.text)
        tested = await ada.submit(await ada.open(PAGE), PAGE, do="test:webhook")
        await client.settle()
        await world.members(world.people[:2])
        await world.next_day()
        await client.fire()
        await client.settle()
        # Signed in again, because the session ended with the day.
        later = await (await browser_of(client, world)).open(PAGE)
        await world.api.delete("/tenant/notices/webhook")  # so that later ticks send nothing
        german = text_of(await (await browser_of(client, world, language="de")).open(PAGE))

    assert refused.status == 422
    assert "https address" in refused.text
    assert secret is not None
    assert secret[0] not in later.text
    assert "The test was sent" in tested.text
    test, notice = sink.notices(secret[0])
    assert (test["type"], test["data"]["items"]) == ("notice.test", [])
    (item,) = notice["data"]["items"]
    run = (await world.last_run(made["id"]))["id"]
    assert (item["kind"], item["state"], item["mailboxes"]) == ("changes_held", "open", 2)
    assert item["url"].endswith(f"/runs/{run}")
    assert "Changes that need review" in text_of(later)
    assert "Nächster Versuch" not in german
    assert "zugestellt" in german


async def test_teams_workflow_set_on_the_page_gets_a_card_in_the_chosen_language(
    client: Client, world: World, ada: Browser
) -> None:
    async with webhook_sink() as sink:
        empty = await ada.open(PAGE)
        refused = await ada.submit(empty, PAGE, do="set:teams", teams="https://10.0.0.1/")
        early = await ada.submit(await ada.open(PAGE), PAGE, do="test:teams")
        wanted: dict[str, Any] = {"kinds": "consent_lost", "notice-language": "de"}
        saved = await ada.submit(await ada.open(PAGE), PAGE, do="save", **wanted)
        await ada.submit(await ada.open(PAGE), PAGE, do="set:teams", teams=f"{sink.url}/flow")
        await ada.submit(await ada.open(PAGE), PAGE, do="test:teams")
        await client.settle()
        removed = await ada.submit(await ada.open(PAGE), PAGE, do="remove:teams")
        settings = await world.api.get("/tenant/notices")

    assert (refused.status, early.status) == (422, 422)
    assert "https address" in refused.text
    assert "No receiver is turned on there" in early.text
    assert "Saved." in saved.text
    ((_, body),) = sink.got
    (card,) = json.loads(body)["attachments"]
    assert "Dies ist ein Test" in card["content"]["body"][1]["text"]
    assert "Removed." in removed.text
    assert (settings["language"], settings["kinds"], settings["teams"]) == (
        "de",
        ["consent_lost"],
        None,
    )


async def test_settings_and_deliveries_by_the_api(client: Client, world: World) -> None:
    api = world.api
    before = await api.get("/tenant/notices")
    changed = await api.send(
        "PATCH", "/tenant/notices", {"kinds": ["consent_lost"]}, **{"If-Match": before["etag"]}
    )
    stale = await api.send(
        "PATCH", "/tenant/notices", {"kinds": []}, **{"If-Match": before["etag"]}
    )
    wrong = await api.send("PATCH", "/tenant/notices", {"kinds": ["weather"]})
    none = await api.send("POST", "/tenant/notices/test")
    async with webhook_sink() as sink:
        made = await api.put("/tenant/notices/webhook", {"url": sink.url})
        sent = await api.send("POST", "/tenant/notices/test")
        soon = await api.send("POST", "/tenant/notices/test")
        await client.settle()
        (delivery,) = await api.all("/tenant/notices/deliveries")
        await api.delete("/tenant/notices/webhook")
        await api.delete("/tenant/notices/webhook")

    assert (before["webhook"], len(before["kinds"])) == (None, 7)
    assert changed.body["kinds"] == ["consent_lost"]
    problem(stale, 412, "precondition-failed")
    assert problem(wrong, 400, "invalid-input")["errors"][0]["field"].startswith("kinds")
    assert problem(none, 409, "conflict")["code"] == "webhook_missing"
    assert sent.headers["Location"] == "/api/v1/tenant/notices/deliveries"
    assert problem(soon, 429, "too-many-requests")["code"] == "too_many_tests"
    assert (delivery["id"], delivery["state"]) == (sent.body["id"], "delivered")
    assert delivery["attempts"][0]["status"] == 204
    assert len(sink.notices(made["secret"])) == 1
    assert (await api.get("/tenant/notices"))["webhook"] is None
    entries = await api.all("/ledger?action=notices")
    assert [entry["action"] for entry in entries] == [
        "notices.changed",
        "notices.tested",
        "notices.changed",
        "notices.changed",
    ]
