"""`make screenshots`: every page of the portal with the demo's data, into build/screenshots/.

Each is taken at two widths, light and dark, in both languages, and index.html shows them together.
`ARGS="--only shares"` takes the pages whose name contains the word.
"""

import argparse
import asyncio
import html
import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, StorageState

from shared.portal.languages import LANGUAGES
from tests.local.cloud import BUILD, LocalCloud
from tests.local.demo import seed
from tests.local.demo_data import FABRIKAM
from tests.portal.browser.chromium import chromium
from tests.portal.browser.person import DESKTOP, PHONE, Habits, Person
from tests.portal.browser.signing_in import sign_in_as
from tests.portal.busy_days import pass_days
from tests.portal.pages import PAGES, Ids, Look, ids_of

FOLDER = BUILD / "screenshots"
_WHO = "ada@contoso.example"
_AT_ONCE = 4
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
ALL_HABITS: tuple[Habits, ...] = tuple(
    {"viewport": viewport, "color_scheme": scheme, "locale": locale, "reduced_motion": "reduce"}
    for viewport, scheme, locale in itertools.product((DESKTOP, PHONE), _SCHEMES, LANGUAGES)
)


async def take(looks: Sequence[Look], folder: Path) -> list[str]:
    """Take all screenshots. Return what went wrong."""
    with tempfile.TemporaryDirectory() as build:
        async with LocalCloud(build=Path(build)) as cloud, chromium() as browser:
            stage = await seed(cloud.client)
            held = await pass_days(stage)
            ids = ids_of(
                {**stage.imports["Contoso purchasing"], "firstRun": held["id"]},
                tenant=FABRIKAM,
                mailbox=stage.contoso.buyers[0],
                person=stage.contoso.sellers[0],
            )
            places = asyncio.Semaphore(_AT_ONCE)
            state: StorageState | None = None
            if any(look.signed_in for look in looks):
                state = await _signed_in(browser, cloud)

            async def one(habits: Habits) -> list[str]:
                async with places:
                    return await _take_with(browser, cloud, looks, ids, habits, state, folder)

            found = await asyncio.gather(*(one(habits) for habits in ALL_HABITS))
    return [trouble for troubles in found for trouble in troubles]


async def _signed_in(browser: Browser, cloud: LocalCloud) -> StorageState:
    person = await Person.open_window(browser, cloud)
    await sign_in_as(person.page, _WHO)
    state = await person.context.storage_state()
    await person.context.close()
    return state


async def _take_with(
    browser: Browser,
    cloud: LocalCloud,
    looks: Sequence[Look],
    ids: Ids,
    habits: Habits,
    state: StorageState | None,
    folder: Path,
) -> list[str]:
    """Take all pages with these habits, those for strangers first. Return what went wrong."""
    troubles: list[str] = []
    for signed_in in (False, True):
        chosen = [look for look in looks if look.signed_in is signed_in]
        if not chosen:
            continue
        known: Habits = {**habits, "storage_state": state} if signed_in and state else habits
        person = await Person.open_window(browser, cloud, **known)
        for look in chosen:
            person.expects(look.status, 422)
            await look.open(person.page, ids)
            width = habits["viewport"]["width"]
            name = f"{look.name}-{width}-{habits['color_scheme']}-{habits['locale']}.png"
            await person.page.screenshot(path=folder / name, full_page=True, animations="disabled")
        await person.context.close()
        troubles += person.troubles
    return troubles


def _sheet(pictures: Sequence[Path]) -> str:
    """Return the contact sheet: a row for each page, each picture a link to its file."""
    by_name: dict[str, list[Path]] = {}
    for picture in pictures:
        by_name.setdefault(picture.stem.rsplit("-", 3)[0], []).append(picture)
    rows = "".join(
        f"<h2>{html.escape(name)}</h2><div>"
        + "".join(
            f'<a href="{html.escape(p.name)}"><img loading="lazy" src="{html.escape(p.name)}">'
            f"<small>{html.escape(p.stem.removeprefix(name + '-'))}</small></a>"
            for p in found
        )
        + "</div>"
        for name, found in by_name.items()
    )
    style = (
        "body{font:14px system-ui;margin:2rem;background:#ddd}div{display:flex;flex-wrap:wrap;"
        "gap:1rem;align-items:start}a{display:grid}img{max-width:22rem;max-height:40rem;"
        "box-shadow:0 1px 4px #0006}"
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Screenshots</title>'
        f"<style>{style}</style><h1>Screenshots</h1>{rows}</html>"
    )


def main(only: Sequence[str]) -> int:
    """Take the pages whose name contains one of these words, or all. Return the exit code."""
    looks = [look for look in PAGES if not only or any(word in look.name for word in only)]
    if not looks:
        print(f"No page's name contains {' or '.join(only)}: {', '.join(p.name for p in PAGES)}.")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        if not only or any(word in old.name for word in only):
            old.unlink()
    troubles = asyncio.run(take(looks, FOLDER))
    (FOLDER / "index.html").write_text(_sheet(sorted(FOLDER.glob("*.png"))), "utf-8")
    print(f"{len(looks) * len(ALL_HABITS)} pictures: {FOLDER / 'index.html'}")
    for trouble in dict.fromkeys(troubles):
        print(trouble)
    return 1 if troubles else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make screenshots")
    parser.add_argument(
        "--only", action="append", default=[], help="pages whose name contains this"
    )
    sys.exit(main(parser.parse_args().only))
