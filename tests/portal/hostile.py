"""A tenant in which every name would break a careless page."""

from itertools import cycle

from tests.local.client import Client
from tests.portal.pages import ids_of
from tests.world import World

NAMES = (
    "<script>window.slipped = 1</script>",
    "<img src=slipped onerror='window.slipped = 1'>",
    "\"'><svg onload=window.slipped=1>",
    "{{ 7 * 7 }} {% raw %} ${7*7} %s &lt;b&gt;",
    "\u202egnihton\u2066 left open",
    "Ünïcödé 王小明 \N{FAMILY} e" + "\u0301" * 20,
    "W" * 120,
)
TYPED = tuple(name for name in NAMES if "\u202e" not in name)
"""Those that people can type: the other one turns the direction of text."""
LONG = "Nobody-is-called-like-this-" * 18 + "but could"
"""Nearly 500 characters without a space."""


async def hostile_company(client: Client) -> tuple[World, dict[str, str]]:
    """Create it with an import of its own share. Return it and the ids of what its pages show."""
    world = await World.create(client, people=len(NAMES), targets=2)
    names = cycle((LONG, *NAMES))
    users = [
        {"id": id_, "displayName": name, "jobTitle": name, "department": name}
        for id_, name in zip(world.users, names, strict=False)
    ]
    group = {"id": world.group, "displayName": NAMES[0], "members": world.people}
    await client.change_tenant(world.tenant, users=users, groups=[group])
    await world.api.patch("/tenant", {"name": NAMES[1]})
    for name in TYPED[2:]:
        await world.share(name=name)
    share = await world.share(name=NAMES[0])
    made = await world.import_(share["id"], name=NAMES[1], destination={"folder": "<b>Folder</b>"})
    ids = ids_of(made, tenant=world.tenant, mailbox=world.targets[0], person=world.people[0])
    return world, ids


FOUND = """() => {
  const found = [];
  if (window.slipped) found.push('a script ran');
  for (const made of document.querySelectorAll('[onerror], [onload], img[src=slipped], b'))
    found.push('markup: ' + made.outerHTML);
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const alone = texts.currentNode.parentElement.closest('bdi, [dir], option, textarea');
    if (/[\\u202a-\\u202e\\u2066-\\u2069]/.test(texts.currentNode.data) && !alone)
      found.push('a name that reverses the text around it: ' + texts.currentNode.data);
  }
  return found;
}"""
"""Evaluated in a page, returns what such names did to it: nothing if they are shown as text."""
