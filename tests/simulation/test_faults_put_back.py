"""Faults that are put back are found by random histories."""

import pytest

from tests.simulation.__main__ import find
from tests.simulation.faults_put_back import FAULTS

_MOST = 40


@pytest.mark.parametrize("fault", ["3-watchdog", "10-late-start"])
def test_fault_that_is_put_back_is_found(fault: str) -> None:
    assert fault in FAULTS
    assert find(fault, 0, _MOST) is not None
