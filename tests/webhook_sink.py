"""A receiver of webhooks on this machine, which checks signatures as its own code would."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class WebhookSink:
    """What a receiver has got, and what it answers."""

    url: str = ""
    answer: web.Response | None = None
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def notices(self, secret: str) -> list[Any]:
        """Return the bodies of all requests; fails if one is not signed with the secret."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        for headers, body in self.got:
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
            assert f"v1,{wanted}" in headers["webhook-signature"].split()
        return [json.loads(body) for _, body in self.got]

    async def _handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append((headers, await request.read()))
        return self.answer or web.Response(status=204)


@asynccontextmanager
async def webhook_sink(answer: web.Response | None = None) -> AsyncIterator[WebhookSink]:
    """Listen on this machine, with one answer to every request."""
    sink = WebhookSink(answer=answer)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", sink._handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sink.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield sink
    finally:
        await runner.cleanup()
