"""Files that Azure reads match their published schemas."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.sources import ROOT

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "host.json").read_text("utf-8"))
HOST: dict[str, Any] = json.loads((ROOT / "host.json").read_text("utf-8"))


def check(host: dict[str, Any]) -> None:
    jsonschema.Draft7Validator(SCHEMA).validate(host)


def test_host_json_matches_the_published_schema() -> None:
    check(HOST)


def test_invalid_host_json_is_rejected() -> None:
    queues = {**HOST["extensions"]["queues"], "batchSize": 33}

    with pytest.raises(jsonschema.ValidationError):
        check({**HOST, "extensions": {**HOST["extensions"], "queues": queues}})
