"""What is kept of a request that Microsoft Graph refuses."""

import pytest

from shared.adapters.graph import directory
from shared.domain.errors import Refused
from tests.unit.sharing.simulated_graph import SimulatedGraph, guid


@pytest.fixture
def graph() -> SimulatedGraph:
    return SimulatedGraph()


async def test_failed_request_is_kept_with_the_ids_that_support_asks_for(
    graph: SimulatedGraph,
) -> None:
    graph.add_user(1)
    graph.fail("getByIds", {"status": 404, "headers": {"request-id": "theirs"}})

    await directory.mailboxes_by_id(graph.session(), [guid(1)])

    ids = [request.headers["client-request-id"] for request in graph.sent]
    failed = graph.meter.failed
    assert failed is not None
    assert len(set(ids)) == len(ids) == 2
    assert (failed.status, failed.client_request_id, failed.request_id) == (404, ids[0], "theirs")


async def test_failed_item_of_a_batch_has_the_ids_of_its_batch(graph: SimulatedGraph) -> None:
    graph.fail("^/users", {"status": 404})

    with pytest.raises(Refused):
        await directory.users_by_id(graph.session(), [guid(1)], "id")

    failed = graph.meter.failed
    assert failed is not None
    assert failed.client_request_id == graph.sent[0].headers["client-request-id"]
