"""One process with the simulators of Graph, Entra ID and Key Vault. It prints JSON when ready.

`python -m tests.local.simulators SETTINGS` takes, as JSON, the addresses to serve at, the app's
registration and the server's certificate (`tests/local/cloud.py` creates them). Entra and Graph are
served twice: over http for control and for the app, and over https, since azure-identity signs in,
and Microsoft's JavaScript client sends its token, over nothing else.
"""

import asyncio
import json
import signal
import ssl
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

from aiohttp import web

from tests.local import entra, graph, vault


async def serve(addresses: Mapping[str, str]) -> None:
    """Serve until SIGTERM."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    issuer = entra.EntraServer(
        entra.EntraSettings(
            authority=addresses["authority"],
            client_id=addresses["clientId"],
            client_secret=addresses["clientSecret"],
            identity=addresses["identity"],
            identity_header=addresses["identityHeader"],
            home_tenant=addresses["homeTenant"],
            redirects=tuple(addresses["redirects"].split()),
        )
    )
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(addresses["certificate"])
    graph_app = graph.create_app(graph.GraphSettings(issuer.verify_graph_token, addresses["graph"]))
    state = issuer.state
    vault_app = vault.create_app(
        vault.VaultServer(
            vault.VaultSettings(
                url=addresses["vault"],
                verify=state.keys.verify,
                authority=addresses["authority"],
                tenant=state.settings.home_tenant,
                identity=addresses["identity"],
            )
        )
    )
    runners = [
        await _start(graph_app, tls, addresses["graph"], addresses["graphHttps"]),
        await _start(entra.create_app(issuer), tls, addresses["entra"], addresses["authority"]),
        await _start(vault_app, tls, addresses["vault"]),
    ]
    print(json.dumps(dict(addresses)), flush=True)
    await stopped.wait()
    for runner in runners:
        await runner.cleanup()


async def _start(app: web.Application, tls: ssl.SSLContext, *urls: str) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    for parts in map(urlsplit, urls):
        context = tls if parts.scheme == "https" else None
        await web.TCPSite(runner, "127.0.0.1", parts.port, ssl_context=context).start()
    return runner


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
