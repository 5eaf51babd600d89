"""Which verified domain identifies a tenant, whatever of it the app may read."""

import pytest

from shared.adapters.graph.organization import verified_domain
from tests.unit.sharing.simulated_graph import ROLES, SimulatedGraph


@pytest.fixture
def graph() -> SimulatedGraph:
    return SimulatedGraph()


@pytest.mark.parametrize("role", ["Directory.Read.All", "Organization.Read.All"])
async def test_default_domain_of_the_organization_is_read(graph: SimulatedGraph, role: str) -> None:
    graph.roles = ROLES | {role}
    admin = graph.add_user(1, userPrincipalName="ada@other.example")
    known = ["contoso.onmicrosoft.com", "Contoso.example", "contoso.mail.onmicrosoft.com"]
    graph.tenant.directory.domains = known

    assert await verified_domain(graph.session(), "old.example", admin) == "contoso.example"
    assert graph.meter.requests == 1


async def test_domain_is_that_of_the_asking_admin_or_of_most_users(graph: SimulatedGraph) -> None:
    assert await verified_domain(graph.session()) == ""
    for number in (1, 2):
        graph.add_user(number, userPrincipalName=f"{number}@contoso.example")
    ada = graph.add_user(3, userPrincipalName="ada@Fabrikam.example")
    free = graph.add_user(4, userPrincipalName="root@well-known.onmicrosoft.com")
    program = "99999999-0000-4000-8000-000000000000"

    found = {id_: await verified_domain(graph.session(), user=id_) for id_ in (ada, free, program)}

    expected = ("fabrikam.example", "contoso.example", "contoso.example")
    assert tuple(found.values()) == expected


async def test_free_name_of_microsofts_is_the_last_choice(graph: SimulatedGraph) -> None:
    graph.add_user(1, userPrincipalName="x_y.example#EXT#@contoso.onmicrosoft.com")

    assert await verified_domain(graph.session()) == "contoso.onmicrosoft.com"


async def test_known_domain_stays_as_long_as_names_end_in_it(graph: SimulatedGraph) -> None:
    graph.add_user(1, userPrincipalName="bob@contoso.example")
    graph.add_user(2, userPrincipalName="ada@fabrikam.example")

    assert await verified_domain(graph.session(), "fabrikam.example") == "fabrikam.example"
    graph.add_user(2, userPrincipalName="ada@contoso.example")
    assert await verified_domain(graph.session(), "fabrikam.example") == "contoso.example"
