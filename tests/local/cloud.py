"""The whole local cloud: starts its processes, waits until they answer, and stops them."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.local.azurite import Azurite
from tests.local.client import Client
from tests.local.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
_QUICK_RETRY = {"AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:01"}
"""A failed message comes back after a second here: nobody waits for half a minute in a test."""


class LocalCloud:
    """Azurite, the simulators and (unless `host` is False) the functions host.

    `environment` are the app's settings, for running its code in this process too.
    """

    def __init__(
        self,
        *,
        host: bool = True,
        build: Path = BUILD,
        settings: Mapping[str, str] | None = None,
        durable: Path | None = None,
    ) -> None:
        self._with_host = host
        self._build = build
        self._settings = dict(settings or {})
        self.logs = build / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.azurite = Azurite(self.logs / "azurite.log", durable)
        self.addresses: dict[str, str] = {}
        self.environment: dict[str, str] = {}
        self.client = Client({"api": "", "graph": "", "entra": ""})
        self._simulators: asyncio.subprocess.Process | None = None
        self._host: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop every process that was started."""
        await self.client.__aexit__()
        (self._build / "local.json").unlink(missing_ok=True)
        await self.stop_host()
        await _stop(self._simulators)
        await self.azurite.stop()

    async def start_host(self) -> None:
        """Start the functions host and wait until the app answers."""
        port = int(self.addresses["portal"].rsplit(":", 1)[1])
        with (self.logs / "host.log").open("ab") as log:
            self._host = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.local.host", str(port),
                cwd=ROOT, env={**os.environ, **self.environment}, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        for _ in range(600):
            if self._host.returncode is not None:
                break
            with contextlib.suppress(OSError):
                url = f"{self.addresses['api']}/health"
                if (await self.client.send("GET", url)).status == 200:
                    return
            await asyncio.sleep(0.05)
        message = f"The functions host does not answer: see {self.logs / 'host.log'}."
        raise RuntimeError(message)

    async def stop_host(self, number: int = signal.SIGTERM) -> None:
        """Stop the functions host; with SIGKILL it dies as it is."""
        process, self._host = self._host, None
        await _stop(process, number)

    async def _start(self) -> None:
        with (self.logs / "simulators.log").open("ab") as log:
            self._simulators = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.local.simulators",
                cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        known, _ = await asyncio.gather(self._simulator_addresses(), self.azurite.start())
        portal = f"http://127.0.0.1:{free_port()}"
        self.addresses = {
            "api": f"{portal}/api",
            "portal": portal,
            "graph": known["graph"],
            "entra": known["entra"],
            "storage": self.azurite.connection_string,
            "clientId": known["clientId"],
            "clientSecret": known["clientSecret"],
        }
        self.environment = {
            "AzureWebJobsStorage": self.azurite.connection_string,
            "AzureWebJobsDisableHomepage": "true",
            "ENTRA_AUTHORITY": known["authority"],
            "GRAPH_ENDPOINT": known["graph"],
            "APP_CLIENT_ID": known["clientId"],
            "APP_CREDENTIAL": "client-secret",
            "APP_CLIENT_SECRET": known["clientSecret"],
            "SSL_CERT_FILE": known["trusted"],
            **_QUICK_RETRY,
            **self._settings,
        }
        self.client = Client(self.addresses)
        await self.client.__aenter__()
        if self._with_host:
            await self.start_host()
        part = self._build / "local.json.part"
        part.write_text(json.dumps(self.addresses, indent=2))
        part.rename(self._build / "local.json")

    async def _simulator_addresses(self) -> dict[str, Any]:
        process = self._simulators
        if process is None or process.stdout is None:
            message = "The simulators were not started."
            raise RuntimeError(message)
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        if not line:
            message = f"The simulators ended at their start: see {self.logs / 'simulators.log'}."
            raise RuntimeError(message)
        return dict(json.loads(line))


async def _stop(process: asyncio.subprocess.Process | None, number: int = signal.SIGTERM) -> None:
    if process is None or process.returncode is not None:
        return
    os.killpg(process.pid, number)
    try:
        await asyncio.wait_for(process.wait(), 10)
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
