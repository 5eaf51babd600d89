"""Photos: read once per run, scaled down, and sent only if they changed."""

import base64
import io

from PIL import Image

from tests.local.client import Json
from tests.world import World


def picture(color: str, width: int = 640, height: int = 480) -> str:
    out = io.BytesIO()
    Image.new("RGB", (width, height), color).save(out, "JPEG")
    return base64.b64encode(out.getvalue()).decode()


async def photos(world: World, mailbox: str) -> dict[str, Image.Image]:
    contacts = await world.client.folder(world.tenant, mailbox)
    return {
        c["displayName"]: Image.open(io.BytesIO(base64.b64decode(c["photo"])))
        for c in contacts
        if "photo" in c
    }


async def photo_requests(world: World) -> dict[str, int]:
    routes: Json = (await world.client.requests())["tenants"][world.tenant]["routes"]
    read = routes.get("GET /users/{id}/photo/$value", {"batchItems": 0})
    sent = sum(use["batchItems"] for route, use in routes.items() if route.startswith("PUT "))
    return {"read": read["batchItems"], "sent": sent}


async def test_photo_is_read_once_per_run_and_sent_to_each_mailbox_in_configured_size(
    world: World,
) -> None:
    one, two = world.people[:2]
    pictures = {one: picture("red"), two: picture("blue", 100, 400)}
    await world.client.change_tenant(world.tenant, photos=pictures)
    await world.client.reset_requests()
    made = await world.import_((await world.share())["id"], photos={"edge": 96})
    assert await photo_requests(world) == {"read": 2, "sent": 4}
    for mailbox in world.targets:
        found = await photos(world, mailbox)
        assert {name: image.size for name, image in found.items()} == {
            world.users[one]["displayName"]: (96, 72),
            world.users[two]["displayName"]: (24, 96),
        }
    run = await world.api.get(f"/runs/{made['firstRun']}")
    assert (run["status"], run["photos"]) == ("succeeded", 4)


async def test_only_changed_photos_are_sent_again_and_next_day_costs_one_request(
    world: World,
) -> None:
    one, two = world.people[:2]
    first = {one: picture("red"), two: picture("blue")}
    await world.client.change_tenant(world.tenant, photos=first)
    await world.import_((await world.share())["id"], photos={})
    await world.client.change_tenant(world.tenant, photos={two: picture("green")})
    await world.client.reset_requests()
    await world.next_day()
    assert await photo_requests(world) == {"read": 1, "sent": 2}
    box = world.targets[0]
    shown = (await photos(world, box))[world.users[two]["displayName"]].getpixel((5, 5))
    assert isinstance(shown, tuple)
    assert shown[1] > max(shown[0], shown[2])
    await world.client.reset_requests()
    await world.next_day()
    counted = (await world.client.requests())["tenants"][world.tenant]["mailboxes"]
    assert counted[box]["batchItems"] == 1


async def test_missing_or_invalid_photo_keeps_the_last_one(world: World) -> None:
    one, two, three = world.people[:3]
    pictures = {one: picture("red"), two: picture("blue")}
    await world.client.change_tenant(world.tenant, photos=pictures)
    made = await world.import_((await world.share())["id"], photos={})
    broken = base64.b64encode(b"no picture at all").decode()
    await world.client.change_tenant(world.tenant, photos={one: None, two: broken, three: broken})
    await world.next_day()
    assert len(await photos(world, world.targets[0])) == 2
    run = await world.last_run(made["id"])
    assert run["status"] == "succeeded"
    assert {o["id"] for o in run["omissions"] if o["reason"] == "photo_refused"} == {two, three}


async def test_photos_require_the_imports_setting_and_the_shares_permission(
    world: World,
) -> None:
    await world.client.change_tenant(world.tenant, photos={world.people[0]: picture("red")})
    await world.client.reset_requests()
    await world.import_((await world.share())["id"])
    silent = await world.share(fields=["displayName", "emailAddresses"])
    await world.import_(silent["id"], destination={"folder": "Silent"}, photos={})
    assert await photo_requests(world) == {"read": 0, "sent": 0}
    assert await photos(world, world.targets[0]) == {}


async def test_new_mailbox_gets_photos_that_the_run_did_not_have_to_read(world: World) -> None:
    await world.client.change_tenant(world.tenant, photos={world.people[0]: picture("red")})
    share = (await world.share())["id"]
    made = await world.import_(share, photos={}, targets={"users": world.targets[:1]})
    await world.client.reset_requests()
    targets = {"targets": {"users": world.targets}}
    await world.api.send("PATCH", f"/imports/{made['id']}", targets)
    await world.next_day()

    assert len(await photos(world, world.targets[1])) == 1
    assert await photo_requests(world) == {"read": 1, "sent": 1}


async def test_photo_that_could_not_be_read_for_a_mailbox_is_sent_the_next_day(
    world: World,
) -> None:
    await world.client.change_tenant(world.tenant, photos={world.people[0]: picture("red")})
    share = (await world.share())["id"]
    made = await world.import_(share, photos={}, targets={"users": world.targets[:1]})
    targets = {"targets": {"users": world.targets}}
    await world.api.send("PATCH", f"/imports/{made['id']}", targets)
    refused = {"status": 500, "headers": {"Retry-After": "0"}}
    await world.client.fault(r"/photo/\$value", refused, times=1_000, tenant=world.tenant)
    await world.next_day()
    assert await photos(world, world.targets[1]) == {}

    await world.client.clear_faults()
    await world.next_day()
    assert len(await photos(world, world.targets[1])) == 1


async def test_photo_is_sent_despite_transient_read_errors(world: World) -> None:
    await world.client.change_tenant(world.tenant, photos={world.people[0]: picture("red")})
    await world.client.fault("/photo/", {"status": 503}, times=2, method="GET")
    await world.import_((await world.share())["id"], photos={})
    assert len(await photos(world, world.targets[0])) == 1


async def test_only_the_throttled_photo_is_sent_again(world: World) -> None:
    await world.client.change_tenant(
        world.tenant, photos={person: picture("red") for person in world.people}
    )
    await world.client.fault(
        "/photo/", {"status": 429, "headers": {"Retry-After": "0"}}, times=1, method="PUT"
    )
    await world.client.reset_requests()
    await world.import_(
        (await world.share())["id"], photos={}, targets={"users": world.targets[:1]}
    )
    assert len(await photos(world, world.targets[0])) == 5
    assert (await photo_requests(world))["sent"] == 6
