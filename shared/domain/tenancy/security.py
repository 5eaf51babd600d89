"""What a tenant's admins set to protect it, beyond what Entra ID decides."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.domain.model import DirectoryId, Model


class SecurityInput(Model):
    """The security settings of a tenant.

    `clients` are the applications, by client id, that may act for a person (tokens with `scp`). The
    portal's own application always may. With `second_admin`, leaving needs another admin's
    confirmation.
    """

    clients: Annotated[list[DirectoryId], Field(max_length=50)] = []
    """Client ids of applications that may act for a person, at most 50."""
    second_admin: bool = False
    """Whether another admin has to confirm that the tenant leaves."""


class Security(SecurityInput):
    """The settings, and since when no second admin is needed; None: it was never needed."""

    one_admin_since: datetime | None = None

    def admits(self, client: str) -> bool:
        """Return whether an application may act for a person."""
        return client.lower() in {each.lower() for each in self.clients}
