"""Faults that are put back are found by random histories."""

import pytest

from tests.simulation.__main__ import find

_FIRST, _MOST = 3_000, 60


@pytest.mark.parametrize("fault", ["2-close", "10-late-start"])
def test_fault_that_is_put_back_is_found(fault: str) -> None:
    assert find(fault, _FIRST, _MOST) is not None
