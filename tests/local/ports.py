"""Free ports on this machine."""

import fcntl
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

_LOWEST, _HIGHEST = 15_000, 32_000
"""Below the ports of outgoing connections, so that none takes a port before its server."""

_FOLDER = Path(tempfile.gettempdir()) / "contact-sync-ports"
_reserved: dict[int, IO[bytes]] = {}
"""The ports that this process has reserved, each with a file that stays locked."""


def free_port() -> int:
    """Reserve a free port for this process.

    The reservation is needed because the port's server starts a moment later, and several local
    clouds may start at once.
    """
    _FOLDER.mkdir(exist_ok=True)
    for _ in range(1000):
        port = random.SystemRandom().randint(_LOWEST, _HIGHEST)
        if port in _reserved:
            continue
        claim = (_FOLDER / str(port)).open("wb")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _reserved[port] = claim
        return port
    raise RuntimeError("No port is free.")
