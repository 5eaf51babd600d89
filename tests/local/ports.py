"""Free ports on this machine."""

import random
import socket

_LOWEST, _HIGHEST = 15_000, 32_000
"""Below what kernels give to outgoing connections, so that none takes a port before its server."""

_given: set[int] = set()


def free_port() -> int:
    """A port that is free now, and that this process has not given before."""
    for _ in range(1000):
        port = random.SystemRandom().randint(_LOWEST, _HIGHEST)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError("No port is free.")
