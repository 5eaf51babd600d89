"""What watches over the browser sees what goes wrong, or no other test here would prove a thing."""

import pytest

from tests.local.client import Client
from tests.portal.axe import violations
from tests.portal.conftest import NewPerson
from tests.portal.hostile import FOUND, NAMES
from tests.portal.person import Person
from tests.portal.signing_in import sign_in
from tests.world import World


def told(person: Person) -> str:
    """What was found so far, which is then forgotten."""
    found = "\n".join(person.troubles)
    person.troubles.clear()
    return found


async def test_a_message_on_the_console_and_an_error_of_a_script_are_troubles(
    person: Person,
) -> None:
    await person.page.goto("/")
    await person.page.evaluate("console.warn('mind the gap')")
    await person.page.evaluate("setTimeout(() => { throw new Error('broken') })")
    await person.page.wait_for_timeout(100)

    found = told(person)

    assert "mind the gap" in found
    assert "broken" in found


async def test_a_script_that_was_slipped_into_a_page_does_not_run_and_is_a_trouble(
    person: Person,
) -> None:
    await person.page.goto("/")

    await person.page.evaluate(
        "{ const s = document.createElement('script'); s.textContent = 'window.slipped = 1';"
        " document.body.append(s) }"
    )

    assert await person.page.evaluate("window.slipped") is None
    assert "Content Security Policy" in told(person)


async def test_what_is_loaded_from_elsewhere_is_a_trouble(person: Person, client: Client) -> None:
    picture = f"{client.graph}/_sim/picture"
    await person.page.goto(f"data:text/html,<link rel=icon href=data:,><img src={picture}>")

    assert f"request to elsewhere: GET {picture}" in told(person)


async def test_a_page_that_refuses_is_a_trouble_unless_it_is_expected(person: Person) -> None:
    await person.page.goto("/signed-in?code=x&state=y")
    unexpected = told(person)
    person.expects(403)
    await person.page.goto("/signed-in?code=x&state=y")

    assert "403" in unexpected
    assert told(person) == ""


async def test_what_nobody_could_read_is_a_violation(person: Person) -> None:
    await person.page.goto("/")
    await person.page.evaluate(
        "document.querySelector('h1').insertAdjacentHTML('afterend', '<img src=\"/\">')"
    )

    assert any(found.startswith("image-alt") for found in await violations(person.page))


async def test_whoever_picks_an_account_at_entra_is_back_and_signed_in(
    new_person: NewPerson, world: World
) -> None:
    person = await new_person(java_script_enabled=False)

    await sign_in(person.page, world, name="Grace Hopper")

    (session,) = [c for c in await person.context.cookies() if c["name"] == "__Host-session"]
    assert session["secure"]
    assert session["httpOnly"]
    assert person.page.url == f"{person.portal}/"


@pytest.mark.parametrize("number", [1, 2, 4])
async def test_what_a_hostile_name_does_to_a_careless_page_is_found(
    person: Person, number: int
) -> None:
    await person.page.goto("/")
    await person.page.evaluate("n => document.querySelector('h1').innerHTML = n", NAMES[number])

    assert await person.page.evaluate(FOUND) != []
    await person.context.close()  # What the page was at is told before that.
    person.troubles.clear()
