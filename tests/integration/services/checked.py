"""The check of a test's tenant, for the tests of checks: the test runs its messages itself."""

from datetime import timedelta
from typing import Any, Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.store import CHECK_ROW
from shared.domain.importing.messages import CheckTenant
from shared.domain.model import Model
from shared.domain.tenancy.tenant_checks import CheckInput, CheckReason, LineCode, TenantCheck
from shared.wiring import app as wiring
from tests.world import World

DIRECTORY_ONLY: Final = ["User.Read.All", "GroupMember.Read.All", "OrgContact.Read.All"]
MAILBOX: Final = list(LineCode)[6:12]
"""The lines about one mailbox."""


class Watch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ahead = timedelta()


class Unsent:
    """Stands for the queue: the test runs the message itself."""

    async def send(self, queue: str, message: Model, delay: float = 0) -> None:
        del queue, message, delay


class Checked:
    """The check of the world's tenant."""

    def __init__(self, app: wiring.App, world: World, caller: Caller, watch: Watch) -> None:
        self.app, self.world, self.caller, self.watch = app, world, caller, watch

    async def start(self, **wanted: str) -> CheckTenant:
        """Start a check and return its message."""
        wanted.setdefault("mailbox", self.world.targets[0])
        check = await self.app.checks.tenant_checks.start(
            self.caller, CheckInput(**wanted), self.app.idempotency.once()
        )
        return CheckTenant(tenant=self.world.tenant, check=check.id, attempt=9)

    async def run(self, **wanted: str) -> dict[LineCode, CheckReason | None]:
        """Start a check, work on it, and return the reasons of its lines."""
        await self.app.checks.worker.run(await self.start(**wanted))
        return await self.reasons()

    async def reasons(self) -> dict[LineCode, CheckReason | None]:
        """Return the reasons of all lines that have an answer."""
        return {line.line: line.reason for line in (await self.read()).lines}

    async def read(self) -> TenantCheck:
        return await self.app.checks.tenant_checks.read(self.caller)

    async def change(self, **values: Any) -> None:
        """Change the stored check."""
        checks = self.app.base.store.checks
        stored = await checks.get(self.world.tenant, CHECK_ROW)
        assert stored is not None
        await checks.upsert(self.world.tenant, CHECK_ROW, stored.value.copy_with(**values))

    async def left(self, mailbox: int = 0) -> tuple[list[str], list[str], list[str]]:
        """Return the contacts, deleted contacts and categories in a mailbox."""
        world = self.world
        box = await world.client.mailbox(world.tenant, world.targets[mailbox])
        return (
            [c["displayName"] for folder in box["folders"] for c in folder["contacts"]],
            [c["displayName"] for c in box["deletedItems"]["contacts"]],
            [c["displayName"] for c in box["categories"]],
        )
