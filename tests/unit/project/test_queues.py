"""Every queue has a function for its messages, and one for those that failed too often."""

from shared.background import queues
from tests.unit.project.queues import declared_queues


def test_every_queue_and_its_poison_queue_have_a_function() -> None:
    triggers = [
        trigger.get_dict_repr()["queueName"]
        for builder in queues.bp._function_builders
        if (trigger := builder._function.get_trigger()) is not None
    ]

    assert sorted(triggers) == sorted(
        name for queue in declared_queues() for name in (queue, f"{queue}-poison")
    )
