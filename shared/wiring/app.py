"""The app: all areas, built once per process and event loop, at first use."""

import asyncio
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.wiring.entra import Entra, build_entra
from shared.wiring.foundation import Clock, Foundation, NewId, build_foundation
from shared.wiring.importing import Importing, build_importing
from shared.wiring.insight import Insight, build_insight
from shared.wiring.licensing import Licensing, build_licensing
from shared.wiring.privacy import Privacy, build_privacy
from shared.wiring.settings import Settings
from shared.wiring.sharing import Sharing, build_sharing
from shared.wiring.sync import Sync, build_sync
from shared.wiring.tenancy import Tenancy, build_tenancy


@dataclass(frozen=True, slots=True)
class App:
    """Everything that a function may call, by area."""

    base: Foundation
    entra: Entra
    tenancy: Tenancy
    licensing: Licensing
    sharing: Sharing
    importing: Importing
    sync: Sync
    privacy: Privacy
    insight: Insight

    @property
    def settings(self) -> Settings:
        """The settings of the app."""
        return self.base.settings

    @property
    def clock(self) -> Clock:
        """Tells the time, in UTC."""
        return self.base.clock

    async def close(self) -> None:
        """Close every connection."""
        await self.base.close()


def build(settings: Settings, clock: Clock, new_id: NewId) -> App:
    """Put the areas together; nothing is sent yet."""
    base = build_foundation(settings, clock, new_id)
    entra = build_entra(base)
    tenancy = build_tenancy(base, entra)
    licensing = build_licensing(base, tenancy)
    sharing = build_sharing(base, tenancy)
    importing = build_importing(base, tenancy, licensing, sharing)
    sync = build_sync(base, tenancy, licensing, sharing, importing)
    privacy = build_privacy(base, tenancy, sharing, importing)
    insight = build_insight(base, entra, tenancy, licensing, sharing, importing, sync, privacy)
    return App(
        base=base,
        entra=entra,
        tenancy=tenancy,
        licensing=licensing,
        sharing=sharing,
        importing=importing,
        sync=sync,
        privacy=privacy,
        insight=insight,
    )


def utc_now() -> datetime:
    """The time; the only place that asks the machine."""
    return datetime.now(UTC)


def new_id() -> str:
    """A new id of 128 random bits, as 32 hexadecimal digits: unguessable, and fit for a key."""
    return secrets.token_hex(16)


_clock: Clock = utc_now
_apps: dict[asyncio.AbstractEventLoop, App] = {}


def app() -> App:
    """The app of the running event loop, built from the environment at first use."""
    loop = asyncio.get_running_loop()
    found = _apps.get(loop)
    if found is None:
        settings = Settings.from_environment(os.environ)
        found = _apps[loop] = build(settings, _now, new_id)
    return found


async def close() -> None:
    """Close the app of the running event loop, if there is one."""
    found = _apps.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()


def use_clock(clock: Clock) -> None:
    """Give the app another clock (aware, UTC), such as one that a test moves."""
    global _clock  # noqa: PLW0603 - one clock per process, like the machine's own
    _clock = clock


def _now() -> datetime:
    return _clock()
