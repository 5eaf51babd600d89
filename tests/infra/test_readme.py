"""The operator's handbook covers every event and names only existing files."""

import re

import pytest

from shared.domain.events import EVENTS, Event
from tests.infra.readers.bicep import INFRA

TEXT = (INFRA / "README.md").read_text("utf-8")


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_each_event_is_documented_with_its_attributes(event: type[Event]) -> None:
    (row,) = re.findall(rf"^\| `{event.name}` \|.*$", TEXT, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", row)) | {"tenant", "importId", "run"}

    assert {str(field.alias) for field in event.model_fields.values()} <= named


def test_each_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:modules|policies|queries|hooks)/[\w./-]*)`", TEXT))
    named |= {name.removeprefix("infra/") for name in re.findall(r"infra/[\w-]+/[\w.-]+", TEXT)}

    assert named
    assert [name for name in named if not (INFRA / name).exists()] == []
