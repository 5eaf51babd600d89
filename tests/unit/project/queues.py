"""The queues that the app declares, for tests that compare them with functions and template."""

from shared.domain.importing import messages


def declared_queues() -> set[str]:
    """Return the names of all queues; fails if it finds none."""
    found = {v for k, v in vars(messages).items() if k.isupper() and isinstance(v, str)}
    assert found, "shared/domain/importing/messages.py declares no queue"
    return found
