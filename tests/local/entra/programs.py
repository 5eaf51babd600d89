"""Applications that a customer registers in its own tenant, for programs that call our API.

A token of one has the app roles that the tenant assigned to it. Without any, Entra ID still issues
a token, which then has no `roles` (docs: v2-oauth2-client-creds-grant-flow).
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.local.entra.state import Refused, State
from tests.local.entra.tokens import times


@dataclass(frozen=True, slots=True)
class Program:
    """An application of one tenant: its secret, its service principal, its app roles of our API."""

    tenant: str
    roles: tuple[str, ...]
    id: str = field(default_factory=lambda: str(uuid4()))
    principal: str = field(default_factory=lambda: str(uuid4()))
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(30))


class Programs:
    """The applications of all tenants, and their tokens."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._known: dict[str, Program] = {}

    def register(self, tenant: str, roles: tuple[str, ...]) -> Program:
        """Register an application in a tenant, and assign it these app roles."""
        self._state.know(tenant)
        program = Program(tenant, roles)
        self._known[program.id] = program
        return program

    def find(self, tenant: str, client: str) -> Program | None:
        """Return a tenant's application; it is unknown to all other tenants."""
        program = self._known.get(client)
        return program if program is not None and program.tenant == tenant else None

    def claims(self, program: Program, given: Mapping[str, str]) -> dict[str, Any]:
        """Return the claims of a token for our API. Raises `Refused`."""
        if "client_secret" not in given:
            text = "The request body must contain: 'client_assertion' or 'client_secret'."
            raise Refused(401, "invalid_client", 7000218, text)
        if not hmac.compare_digest(given["client_secret"].encode(), program.secret.encode()):
            text = f"Invalid client secret provided. Ensure it is for app '{program.id}'."
            raise Refused(401, "invalid_client", 7000215, text)
        if given.get("grant_type") != "client_credentials":
            text = "The app requested an unsupported grant type."
            raise Refused(400, "unsupported_grant_type", 70003, text)
        ours, scope = self._state.settings.client_id, given.get("scope", "")
        if not scope.endswith("/.default"):
            text = f"The provided value for scope {scope} is not valid: it must end in /.default."
            raise Refused(400, "invalid_scope", 1002012, text)
        resource = scope.removesuffix("/.default")
        here = self._state.tenants[program.tenant].principal
        if resource not in {f"api://{ours}", ours} or not here:
            text = f"The resource principal named {resource} was not found in the tenant."
            raise Refused(400, "invalid_resource", 500011, text)
        return {
            **times(),
            "iss": f"{self._state.settings.authority}/{program.tenant}/v2.0",
            "aud": ours,
            "tid": program.tenant,
            "oid": program.principal,
            "sub": program.principal,
            "azp": program.id,
            "azpacr": "1",
            "uti": secrets.token_urlsafe(16),
            "ver": "2.0",
            **({"roles": list(program.roles)} if program.roles else {}),
        }
