"""The whole local cloud: starts its processes, waits until they answer, and stops them."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from cryptography.fernet import Fernet

from tests.local.azurite import Azurite
from tests.local.certificates import make_certificates
from tests.local.client import Client
from tests.local.host.settings import STOPPED_ITSELF
from tests.local.host.storage import Storage
from tests.local.ports import free_port
from tests.sources import ROOT

BUILD = ROOT / "build"
_QUICK = {
    "LOCAL_HOST_SPEED": "30",
    "AzureFunctionsJobHost__functionTimeout": "05:00:00",
    "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:15",
}
"""The host's times are a thirtieth of Azure's, so that tests do not wait half a minute for a retry.

Two stay longer than that: a function may run for ten minutes as in Azure, because the app's own
times are not scaled, and an idle queue is polled each half second, so that idle polls cost little.
"""


_MOST_ATTEMPTS = 600


class LocalCloud:
    """Azurite, the simulators and (unless `host` is False) the functions host.

    `addresses` are those of local.json. `environment` holds the app's settings, also for running
    its code in this process. With APP_CREDENTIAL=managed-identity a managed identity stands in for
    the app's secret. KEY_VAULT_URI is an empty vault, for credentials that are kept in one.
    """

    def __init__(
        self,
        *,
        host: bool = True,
        app: Path = ROOT,
        build: Path = BUILD,
        settings: Mapping[str, str] | None = None,
        durable: Path | None = None,
        access_log: bool = False,
    ) -> None:
        """Run the app in folder `app` with extra `settings`. `durable` keeps Azurite's data.

        With `access_log`, azurite.log gets a line for each request to storage.
        """
        self._with_host = host
        self._app = app
        self._build = build
        self.logs = build / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.azurite = Azurite(self.logs / "azurite.log", durable, access_log=access_log)
        portal = f"http://127.0.0.1:{free_port()}"
        self._known = {
            "graph": f"http://127.0.0.1:{free_port()}/v1.0",
            "graphHttps": f"https://127.0.0.1:{free_port()}/v1.0",
            "entra": f"http://127.0.0.1:{free_port()}",
            # To browsers another site than the portal's, as in Azure: it gets no Lax cookies.
            "authority": f"https://localhost:{free_port()}",
            "vault": f"https://127.0.0.1:{free_port()}",
            "clientId": str(uuid4()),
            "clientSecret": uuid4().hex,
            "identity": str(uuid4()),
            "identityHeader": uuid4().hex,
            "homeTenant": str(uuid4()),
            "redirects": f"{portal}/signed-in {portal}/consented {portal}/",
        }
        shown = ("graph", "graphHttps", "entra", "authority", "clientId", "clientSecret")
        self.addresses = {
            "api": f"{portal}/api/v1",
            "portal": portal,
            "storage": self.azurite.connection_string,
            **{name: self._known[name] for name in shown},
        }
        self.environment = {
            "AzureWebJobsStorage": self.azurite.connection_string,
            "AzureWebJobsDisableHomepage": "true",
            "ENTRA_AUTHORITY": self._known["authority"],
            "GRAPH_ENDPOINT": self._known["graph"],
            "PORTAL_ORIGIN": portal,
            "SESSION_KEY": Fernet.generate_key().decode(),
            "HOME_TENANT_ID": self._known["homeTenant"],
            "CALLS_PER_MINUTE": "1000000",
            "ANONYMOUS_CALLS_PER_MINUTE": "1000000",
            "APP_CLIENT_ID": self._known["clientId"],
            "APP_CREDENTIAL": "client-secret",
            "APP_CLIENT_SECRET": self._known["clientSecret"],
            "IDENTITY_ENDPOINT": f"{self._known['entra']}/msi/token",
            "IDENTITY_HEADER": self._known["identityHeader"],
            "MANAGED_IDENTITY_CLIENT_ID": self._known["identity"],
            "KEY_VAULT_URI": self._known["vault"],
            "SECURITY_CONTACT": "mailto:security@service.invalid https://service.invalid/report",
            "SECURITY_POLICY": "https://service.invalid/policy",
            "SECURITY_EXPIRES": "2099-12-31T00:00:00Z",
            "SUPPORT_CONTACT": "mailto:support@service.invalid",
            "LICENSE_PRICES": "standard=1.50 premium=2.50 EUR",
            **_QUICK,
            **(settings or {}),
        }
        self.client = Client(self.addresses, self._known["homeTenant"])
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._simulators: asyncio.subprocess.Process | None = None
        self._host: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None

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
        if self._file.exists() and json.loads(self._file.read_text("utf-8")) == self.addresses:
            self._file.unlink()
        await self.client.__aexit__()
        await self.stop_host()
        await asyncio.gather(_stop(self._simulators), self.azurite.stop())
        if self._folder is not None:
            self._folder.cleanup()

    async def start_host(self) -> None:
        """Start the functions host and wait until the app answers.

        A host that stops itself is started again, as the platform does; one that is killed is not.
        """
        await self._run_host()
        await self.wait_for_host()
        self._supervisor = asyncio.create_task(self._supervise())

    async def wait_for_host(self) -> None:
        """Wait until the app answers. Raises `RuntimeError` if its host ended or takes too long."""
        for _ in range(_MOST_ATTEMPTS):
            if self._host is None or self._host.returncode not in (None, STOPPED_ITSELF):
                break
            with contextlib.suppress(OSError):
                url = f"{self.addresses['portal']}/api/health"
                if (await self.client.send("GET", url)).status == 200:
                    return
            await asyncio.sleep(0.05)
        raise RuntimeError(f"The functions host does not answer: see {self.logs / 'host.log'}.")

    async def _run_host(self) -> None:
        port = self.addresses["portal"].rsplit(":", 1)[1]
        with (self.logs / "host.log").open("ab") as log:
            self._host = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.local.host", port, str(self._app),
                cwd=ROOT, env={**os.environ, **self.environment}, stdin=DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    async def _supervise(self) -> None:
        while self._host is not None and await self._host.wait() == STOPPED_ITSELF:
            await self._run_host()

    @property
    def host_process(self) -> int | None:
        """The process id of the functions host, if it runs."""
        return self._host.pid if self._host is not None else None

    async def stop_host(self, number: int = signal.SIGTERM) -> None:
        """Stop the functions host by this signal. SIGKILL kills it without cleanup."""
        if self._supervisor is not None:
            self._supervisor.cancel()
        process, self._host = self._host, None
        await _stop(process, number)

    @property
    def _file(self) -> Path:
        return self._build / "local.json"

    async def _start(self) -> None:
        self.azurite.node()
        self._folder = tempfile.TemporaryDirectory(prefix="contact-sync-")
        made = make_certificates(Path(self._folder.name))
        self._known["certificate"] = str(made.server)
        self.environment["SSL_CERT_FILE"] = self.addresses["caFile"] = str(made.trusted)
        self.client.addresses["caFile"] = str(made.trusted)
        await self.client.__aenter__()
        parts = [self._start_simulators(), self.azurite.start()]
        if self._with_host:
            parts.append(self.start_host())
        # Wait for all before raising an error, so that none starts a process later.
        for ended in await asyncio.gather(*parts, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended
        if self._with_host:
            await self._create_queues()
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(self.addresses, indent=2), "utf-8")
        part.replace(self._file)

    async def _create_queues(self) -> None:
        """Create the queues of all triggers, as infra/ does: the host itself creates none."""
        listed = await self.client.send("GET", f"{self.client.host}/_sim/functions")
        names = {f["trigger"].get("queueName") for f in listed.expect(200).body} - {None}
        async with Storage(self.azurite.connection_string, 1) as storage:
            await asyncio.gather(*(storage.create(name) for name in names))

    async def _start_simulators(self) -> None:
        with (self.logs / "simulators.log").open("ab") as log:
            self._simulators = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.local.simulators", json.dumps(self._known),
                cwd=ROOT, stdin=DEVNULL, stdout=PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        lines = self._simulators.stdout
        if lines is None or not await asyncio.wait_for(lines.readline(), 60):
            log_file = self.logs / "simulators.log"
            raise RuntimeError(f"The simulators ended during startup: see {log_file}.")


async def _stop(process: asyncio.subprocess.Process | None, number: int = signal.SIGTERM) -> None:
    if process is None or process.returncode is not None:
        return
    os.killpg(process.pid, number)
    try:
        await asyncio.wait_for(process.wait(), 10)
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
