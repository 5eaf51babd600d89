"""What the app told telemetry, kept by the host for tests to read."""

from collections import deque
from typing import Final

import orjson

_KEPT: Final = 20_000


class Told:
    """The latest spans and logs, each as JSON. It outlives the workers that told them."""

    def __init__(self) -> None:
        self._spans: deque[bytes] = deque(maxlen=_KEPT)
        self._logs: deque[bytes] = deque(maxlen=_KEPT)

    def add(self, spans: int, lines: bytes) -> None:
        """Keep lines of JSON, of which the first are `spans` spans, the others logs."""
        split = lines.split(b"\n")
        self._spans.extend(split[:spans])
        self._logs.extend(split[spans:])

    def as_json(self, metrics: object) -> bytes:
        """Return everything as JSON, with these metrics."""
        spans, logs = b",".join(self._spans), b",".join(self._logs)
        return b'{"spans":[%b],"logs":[%b],"metrics":%b}' % (spans, logs, orjson.dumps(metrics))

    def clear(self) -> None:
        """Drop everything."""
        self._spans.clear()
        self._logs.clear()
