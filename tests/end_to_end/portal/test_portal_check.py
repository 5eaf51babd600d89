"""A tenant's own check over HTTP: by an API call, and on its page in both languages."""

from tests.end_to_end.browser import Browser
from tests.end_to_end.checks import problem
from tests.end_to_end.signed_in import browser_of, text_of
from tests.local.client import Client
from tests.world import World

PAGE = "/settings/check"


async def test_check_runs_in_the_background_and_its_result_is_read(
    client: Client, world: World
) -> None:
    problem(await world.api.send("GET", "/tenant/check"), 404, "not-found")
    first = await world.api.send("POST", "/tenant/check")
    joined = await world.api.send("POST", "/tenant/check", {"mailbox": world.targets[0]})
    await client.settle()
    read = await world.api.get("/tenant/check")
    soon = await world.api.send("POST", "/tenant/check", {})
    (entry,) = await world.api.all("/ledger?action=tenant.checked")

    assert (first.status, first.headers["Location"]) == (202, "/api/v1/tenant/check")
    assert joined.body["id"] == first.body["id"] == read["id"]
    assert (read["state"], read["result"], read["cleaningUp"]) == ("done", "ok", False)
    lines = {line["line"]: line for line in read["lines"]}
    assert (lines["users"]["state"], lines["users"]["permission"]) == ("ok", "User.Read.All")
    assert lines["mailbox_read"]["reason"] == "no_target"
    assert lines["mailbox_read"]["solution"].startswith("Name a mailbox")
    assert problem(soon, 429, "too-many-requests")["code"] == "too_many_checks"
    assert 0 < int(soon.headers["Retry-After"]) <= 60
    assert entry["done"]


async def test_check_names_one_mailbox_twice(world: World) -> None:
    same = {"mailbox": world.targets[0], "outside": world.targets[0]}

    refused = problem(await world.api.send("POST", "/tenant/check", same), 400, "invalid-input")

    assert [(e["field"], e["code"]) for e in refused["errors"]] == [("outside", "same_mailbox")]


async def test_check_is_started_and_read_on_its_page(
    client: Client, world: World, ada: Browser
) -> None:
    inside, outside = (world.users[id_]["mail"] for id_ in world.targets)
    before = await ada.open(PAGE)
    wrong = await ada.submit(before, PAGE, mailbox="nobody@example.com")
    begun = await ada.submit(wrong, PAGE, mailbox=inside, outside=outside)
    await client.settle()
    done = await ada.open(PAGE)
    german = text_of(await (await browser_of(client, world, language="de")).open(PAGE))
    reader = await (await browser_of(client, world, "Reader")).open(PAGE)

    assert "Not checked yet" in before.text
    assert wrong.status == 422
    assert "complete email address" in wrong.text
    assert "The check has started" in begun.text
    text = text_of(done)
    assert "Action required" in text
    assert inside in text
    assert outside in text
    assert "the consent opens all mailboxes" in text
    assert "Handlungsbedarf" in german
    assert "weil die Zustimmung für alle Postfächer gilt" in german
    assert "Action required" in text_of(reader)
    assert "Check now" not in reader.text
    assert PAGE in (await ada.open("/settings")).text


async def test_path_without_access_to_all_mailboxes_is_explained_before_joining(
    client: Client, world: World
) -> None:
    await client.consent(world.tenant, granted=False)
    page = await (await browser_of(client, world)).open("/consent")
    await client.consent(world.tenant)

    assert "-GrantDirectory" in page.text
