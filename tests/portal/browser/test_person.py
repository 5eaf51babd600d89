"""The checks on the browser find what goes wrong; otherwise the other tests here prove nothing."""

import pytest

from tests.local.client import Client
from tests.portal.browser.axe import violations
from tests.portal.browser.person import Person
from tests.portal.browser.signing_in import sign_in
from tests.portal.conftest import NewPerson
from tests.portal.hostile import FOUND, NAMES
from tests.world import World


def take_troubles(person: Person) -> str:
    """Return the troubles found so far, and clear them."""
    found = "\n".join(person.troubles)
    person.troubles.clear()
    return found


async def test_console_messages_and_script_errors_are_troubles(
    person: Person,
) -> None:
    await person.page.goto("/")
    await person.page.evaluate("console.warn('mind the gap')")
    await person.page.evaluate("setTimeout(() => { throw new Error('broken') })")
    await person.page.wait_for_timeout(100)

    found = take_troubles(person)

    assert "mind the gap" in found
    assert "broken" in found


async def test_injected_script_does_not_run_and_is_a_trouble(
    person: Person,
) -> None:
    await person.page.goto("/")

    await person.page.evaluate(
        "{ const s = document.createElement('script'); s.textContent = 'window.slipped = 1';"
        " document.body.append(s) }"
    )

    assert await person.page.evaluate("window.slipped") is None
    assert "Content Security Policy" in take_troubles(person)


async def test_request_to_another_origin_is_a_trouble(person: Person, client: Client) -> None:
    picture = f"{client.graph}/_sim/picture"
    await person.page.goto(f"data:text/html,<link rel=icon href=data:,><img src={picture}>")

    assert f"request to elsewhere: GET {picture}" in take_troubles(person)


async def test_error_status_is_a_trouble_unless_expected(person: Person) -> None:
    await person.page.goto("/signed-in?code=x&state=y")
    unexpected = take_troubles(person)
    person.expects(403)
    await person.page.goto("/signed-in?code=x&state=y")

    assert "403" in unexpected
    assert take_troubles(person) == ""


async def test_image_without_alternative_text_is_a_violation(person: Person) -> None:
    await person.page.goto("/")
    await person.page.evaluate(
        "document.querySelector('h1').insertAdjacentHTML('afterend', '<img src=\"/\">')"
    )

    assert any(found.startswith("image-alt") for found in await violations(person.page))


async def test_picking_an_account_at_entra_signs_in(new_person: NewPerson, world: World) -> None:
    person = await new_person(java_script_enabled=False)

    await sign_in(person.page, world, name="Grace Hopper", scripts=False)

    (session,) = [c for c in await person.context.cookies() if c["name"] == "__Host-session"]
    assert session["secure"]
    assert session["httpOnly"]
    assert person.page.url == f"{person.portal}/"


@pytest.mark.parametrize("number", [1, 2, 4])
async def test_effect_of_a_hostile_name_on_a_careless_page_is_found(
    person: Person, number: int
) -> None:
    await person.page.goto("/")
    await person.page.evaluate("n => document.querySelector('h1').innerHTML = n", NAMES[number])

    assert await person.page.evaluate(FOUND) != []
    await person.context.close()  # The page may report troubles until then.
    person.troubles.clear()
