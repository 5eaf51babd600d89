"""One compiler process for many calls, by the JSON-RPC that Microsoft made for editors.

Starting the compiler costs more than most of its work, so the tests start it once per process.
"""

import atexit
import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

from tests.infra.compiler.tools import BICEP

_PATIENCE: Final = 10.0


class Failed(Exception):
    """The compiler answered a call with an error; the text is what it said."""


class Server:
    """A compiler that answers calls one after the other."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - Microsoft's compiler
            [BICEP.path(), "jsonrpc", "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
        )
        self._calls = 0
        atexit.register(self.close)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method and return its result; raises `Failed`."""
        self._calls += 1
        asked = {"jsonrpc": "2.0", "id": self._calls, "method": method, "params": [parameters]}
        content = json.dumps(asked).encode()
        to = _open(self._process.stdin)
        to.write(b"Content-Length: %d\r\n\r\n" % len(content) + content)
        to.flush()
        answer = self._read()
        if "error" in answer:
            raise Failed(answer["error"]["message"])
        result: dict[str, Any] = answer["result"]
        return result

    def close(self) -> None:
        """End the process, which ends by itself once nobody writes to it."""
        _open(self._process.stdin).close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _read(self) -> dict[str, Any]:
        """Read the answer to the last call; other messages are only notes."""
        source = _open(self._process.stdout)
        while True:
            length = 0
            while header := source.readline().strip():
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            if not length:
                raise Failed("The compiler ended.")
            answer: dict[str, Any] = json.loads(source.read(length))
            if answer.get("id") == self._calls:
                return answer


@cache
def server(environment: tuple[tuple[str, str], ...]) -> Server:
    """Return the compiler of this process with these environment variables."""
    return Server(dict(environment))


def diagnostics(result: Mapping[str, Any], folder: Path) -> list[str]:
    """Write what the compiler said of a file as its command does, with names below a folder."""
    return [
        f"{str(one['source']).removeprefix(f'{folder}/')}({one['range']['start']['line'] + 1})"
        f" : {one['level']} {one['code']}: {one['message']}"
        for one in result["diagnostics"]
    ]


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise TypeError("the stream is not a pipe")
    return stream
