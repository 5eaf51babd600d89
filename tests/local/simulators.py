"""One process with the Graph and Entra simulators; tells its addresses as a line of JSON.

azure-identity insists on an https authority, so Entra is served twice: by http for control, and
by https, with a certificate of a throw-away authority, as the issuer of tokens.
"""

import asyncio
import json
import signal
import ssl
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

import certifi
import trustme
from aiohttp import web

from tests.local import entra, graph
from tests.local.ports import free_port


async def serve(authority_ca: trustme.CA, trusted: Path) -> None:
    """Serve until SIGTERM; `trusted` is the file of certificates by which Entra is trusted."""
    graph_port, http_port, https_port = free_port(), free_port(), free_port()
    settings = entra.EntraSettings(
        authority=f"https://127.0.0.1:{https_port}",
        client_id=str(uuid4()),
        client_secret=uuid4().hex,
    )
    issuer = entra.EntraServer(settings)
    endpoint = f"http://127.0.0.1:{graph_port}/v1.0"
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority_ca.issue_cert("127.0.0.1").configure_cert(tls)
    graph_app = graph.create_app(graph.GraphSettings(issuer.verify_graph_token, endpoint))
    runners = [
        await _start(graph_app, graph_port, None),
        await _start(entra.create_app(issuer), http_port, None),
        await _start(entra.create_app(issuer), https_port, tls),
    ]
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    addresses = {
        "graph": endpoint,
        "entra": f"http://127.0.0.1:{http_port}",
        "authority": settings.authority,
        "clientId": settings.client_id,
        "clientSecret": settings.client_secret,
        "trusted": str(trusted),
    }
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()
    await stopped.wait()
    for runner in runners:
        await runner.cleanup()


async def _start(app: web.Application, port: int, tls: ssl.SSLContext | None) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    return runner


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="contact-sync-") as name:
        ca, certificates = trustme.CA(), Path(name) / "trusted.pem"
        certificates.write_bytes(Path(certifi.where()).read_bytes() + ca.cert_pem.bytes())
        asyncio.run(serve(ca, certificates))
