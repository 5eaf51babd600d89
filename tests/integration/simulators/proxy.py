"""A proxy before a storage service, which notes each request and refuses some."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

from tests.local.cloud import LocalCloud
from tests.local.ports import free_port


@dataclass(slots=True)
class Proxy:
    """Forwards to a root. `refuse` returns the status for a method and path, or None to forward."""

    target: str
    refuse: Callable[[str, str], int | None] = lambda _method, _path: None
    seen: list[tuple[float, str, str, int]] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    _runner: web.AppRunner | None = None
    _session: aiohttp.ClientSession | None = None

    @classmethod
    def before_queues(cls, cloud: LocalCloud) -> "Proxy":
        """Put a proxy between the host of a cloud that has not started and its queues."""
        text = cloud.environment["AzureWebJobsStorage"]
        root = text.split("QueueEndpoint=", 1)[1].split("/devstoreaccount1", 1)[0]
        made = cls(root)
        given = text.replace(f"QueueEndpoint={root}", f"QueueEndpoint=http://127.0.0.1:{made.port}")
        cloud.environment["AzureWebJobsStorage"] = given
        return made

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/{path:.*}", self._forward)
        self._session = aiohttp.ClientSession(auto_decompress=False)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _forward(self, http: web.Request) -> web.Response:
        if self._session is None:
            raise RuntimeError
        begun = time.monotonic()
        status = self.refuse(http.method, http.raw_path)
        if status is not None:
            self.seen.append((begun, http.method, http.raw_path, status))
            return web.Response(status=status, headers={"x-ms-error-code": "Refused"})
        url = URL(f"{self.target}{http.raw_path}", encoded=True)
        kept = {n: v for n, v in http.headers.items() if n.lower() != "host"}
        try:
            async with self._session.request(
                http.method, url, headers=kept, data=await http.read()
            ) as answer:
                body = await answer.read()
        except aiohttp.ClientError:
            if http.transport is not None:
                http.transport.abort()
            return web.Response(status=502)
        self.seen.append((begun, http.method, http.raw_path, answer.status))
        passed = {n: v for n, v in answer.headers.items() if n.lower().startswith("x-ms-")}
        return web.Response(status=answer.status, body=body, headers=passed)
