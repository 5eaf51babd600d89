"""Local clouds that start at the same time do not take each other's ports."""

import subprocess
import sys

from tests.local.ports import free_port

OTHER = """
from tests.local import ports
ports._LOWEST = ports._HIGHEST = {port}
try:
    print(ports.free_port())
except RuntimeError as error:
    print(error)
"""


def test_reserved_port_is_not_given_to_another_process() -> None:
    port = free_port()

    code = OTHER.format(port=port)
    run = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert run.stdout.strip() == "No port is free."


def test_no_port_is_given_twice() -> None:
    ports = [free_port() for _ in range(50)]

    assert len(set(ports)) == len(ports)
