"""The app: all areas, built on first use, once per process and event loop."""

import asyncio
import logging
import os
import secrets
from contextvars import ContextVar
from datetime import UTC, datetime

from shared.domain.errors import Unavailable
from shared.services.idempotency import Idempotency
from shared.wiring.checks import Checks
from shared.wiring.entra import Entra
from shared.wiring.foundation import build_foundation
from shared.wiring.importing import Importing
from shared.wiring.insight import Insight
from shared.wiring.licensing import Licensing
from shared.wiring.maintenance import Maintenance
from shared.wiring.notices import Notices
from shared.wiring.ports import Clock, Ports, open_ports
from shared.wiring.privacy import Privacy
from shared.wiring.settings import Settings
from shared.wiring.sharing import Sharing
from shared.wiring.sync import Sync
from shared.wiring.tenancy import Tenancy

_log = logging.getLogger(__name__)


class App:
    """Everything that a function may call, by area. Building it sends nothing."""

    def __init__(self, settings: Settings, ports: Ports) -> None:
        self.base = build_foundation(settings, ports)
        self.settings = settings
        self.clock = ports.clock
        self.entra = Entra(self.base)
        self.idempotency = Idempotency(self.base.store, ports.clock, ports.new_id, self.entra.seal)
        self.tenancy = Tenancy(self.base, self.entra)
        self.licensing = Licensing(self.base, self.tenancy)
        self.sharing = Sharing(self.base, self.tenancy)
        self.importing = Importing(self.base, self.tenancy, self.licensing, self.sharing)
        self.sync = Sync(self.base, self.tenancy, self.licensing, self.sharing, self.importing)
        self.checks = Checks(self.base, self.tenancy, self.sync)
        self.privacy = Privacy(self.base, self.tenancy, self.sharing, self.checks)
        self.insight = Insight(
            self.base,
            self.entra,
            self.tenancy,
            self.licensing,
            self.sharing,
            self.importing,
            self.sync,
            self.privacy,
        )
        self.notices = Notices(
            self.base, self.entra, self.tenancy, self.licensing, self.sharing, self.insight
        )
        self.maintenance = Maintenance(
            self.base, self.tenancy, self.licensing, self.importing, self.checks, self.notices
        )

    async def check_queues(self) -> None:
        """Log the queues that are missing or refused; the host itself waits without an error."""
        try:
            await self.base.queues.ready()
        except Unavailable as error:
            _log.error("%s", error)

    async def close(self) -> None:
        """Close every connection."""
        await self.base.ports.close()


def utc_now() -> datetime:
    """Return the current time; only this function reads the system clock."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return 128 random bits as 32 hexadecimal digits, which nobody can guess; valid as a key."""
    return secrets.token_hex(16)


_clock: Clock = utc_now
_checks: set[asyncio.Task[None]] = set()
_apps: dict[asyncio.AbstractEventLoop, App] = {}
_used: ContextVar[App | None] = ContextVar("_used", default=None)


def app() -> App:
    """Return the app in use, or else that of the running event loop.

    The first call builds the loop's app from the environment.
    """
    used = _used.get()
    if used is not None:
        return used
    loop = asyncio.get_running_loop()
    found = _apps.get(loop)
    if found is None:
        settings = Settings.from_environment(os.environ)
        found = _apps[loop] = App(settings, open_ports(settings, _now, new_id))
        check = loop.create_task(found.check_queues())
        _checks.add(check)
        check.add_done_callback(_checks.discard)
    return found


def use(given: App) -> None:
    """Let `app` return this app in the current context and in the tasks it starts."""
    _used.set(given)


async def close() -> None:
    """Close the app of the running event loop, if there is one."""
    found = _apps.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()


def use_clock(clock: Clock) -> None:
    """Replace the app's clock (aware, UTC), for example with one that a test moves."""
    global _clock  # noqa: PLW0603 - one clock per process, like the machine's own
    _clock = clock


def _now() -> datetime:
    return _clock()
