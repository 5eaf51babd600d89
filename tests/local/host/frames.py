"""Frames between the host and a worker, over a pair of sockets: a header in JSON, then bytes."""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from typing import Any, Final

import orjson

_SIZES: Final = struct.Struct(">II")
_BUFFER: Final = 1 << 20


class Frames:
    """One end of the pair."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> "Frames":
        """Use a connected socket, which is closed with this object."""
        return cls(*await asyncio.open_connection(sock=end, limit=_BUFFER))

    def send(self, header: Mapping[str, Any], body: bytes = b"") -> None:
        """Send a frame; nothing happens if the other end is gone."""
        packed = _packed(header)
        self._writer.write(b"".join((_SIZES.pack(len(packed), len(body)), packed, body)))

    async def read(self) -> tuple[dict[str, Any], bytes] | None:
        """Return the next frame, or None once the other end is gone."""
        try:
            header, body = _SIZES.unpack(await self._reader.readexactly(_SIZES.size))
            read = _read(await self._reader.readexactly(header))
            return read, await self._reader.readexactly(body)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def close(self) -> None:
        """Close this end."""
        self._writer.close()


def _packed(header: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(header)
    except TypeError:
        # A header of HTTP may hold bytes that are no UTF-8; only the standard library takes them.
        return json.dumps(header).encode()


def _read(packed: bytes) -> dict[str, Any]:
    try:
        read: dict[str, Any] = orjson.loads(packed)
    except orjson.JSONDecodeError:
        read = json.loads(packed)
    return read
