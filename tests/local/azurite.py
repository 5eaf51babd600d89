"""Azurite, Microsoft's storage emulator, which serves tables and queues."""

import asyncio
import os
import shutil
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.local.ports import free_port

_PROGRAM = Path(__file__).parent / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
# Megabytes for short-lived objects; with Node's own 16, a tenth of the CPU collects garbage.
_NURSERY = "--max-semi-space-size=64"
_PRELOAD = f"--require={Path(__file__).with_name('azurite_preload.cjs')}"
_ACCOUNT = "devstoreaccount1"
# Published by Microsoft for the emulator (docs: storage-use-azurite).
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class Azurite:
    """One emulator. With a folder it keeps its data across restarts, else only in memory.

    With `access_log` it writes a line for each request.
    """

    def __init__(self, log: Path, folder: Path | None = None, *, access_log: bool = False) -> None:
        self._log = log
        self._access_log = access_log
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._ports = {service: free_port() for service in ("blob", "queue", "table")}

    @property
    def connection_string(self) -> str:
        """The connection string for clients."""
        endpoints = "".join(
            f"{service.capitalize()}Endpoint=http://127.0.0.1:{port}/{_ACCOUNT};"
            for service, port in self._ports.items()
        )
        return f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};{endpoints}"

    @staticmethod
    def node() -> str:
        """Return the path of Node.js. Raises `RuntimeError` if it or Azurite is not installed."""
        node = shutil.which("node")
        if node is None or not _PROGRAM.exists():
            raise RuntimeError(
                "Azurite is not installed. Install Node.js 20 or newer, then run `make test`, "
                "`make demo` or `make serve`, which install Azurite."
            )
        return node

    async def start(self) -> None:
        """Start Azurite and wait until it answers."""
        node = self.node()
        place = ["--location", str(self._folder)] if self._folder else ["--inMemoryPersistence"]
        ports = [
            part
            for service, port in self._ports.items()
            for part in (f"--{service}Host", "127.0.0.1", f"--{service}Port", str(port))
        ]
        options = ["--skipApiVersionCheck", "--disableTelemetry"]
        if not self._access_log:
            options.append("--silent")
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                node, _NURSERY, _PRELOAD, str(_PROGRAM), *options, *place, *ports,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        for port in self._ports.values():
            await self._wait_for(port)

    async def stop(self) -> None:
        """Stop Azurite and wait until it has ended."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        os.killpg(process.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _wait_for(self, port: int) -> None:
        for _ in range(300):
            if self._process is not None and self._process.returncode is not None:
                message = f"Azurite ended during startup: see {self._log}."
                raise RuntimeError(message)
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            await writer.wait_closed()
            return
        message = f"Azurite does not answer: see {self._log}."
        raise RuntimeError(message)
