"""Sign-in with Entra ID: OpenID Connect, authorization code with PKCE, by Microsoft's msal.

msal is not async, so each step runs in a thread. Docs: v2-protocols-oidc, v2-oauth2-auth-code-flow.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from ssl import SSLContext
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

import httpx
from msal import ConfidentialClientApplication

from shared.adapters.entra.credentials import AppCredentials
from shared.adapters.loopback import is_loopback
from shared.domain.error_codes import Code
from shared.domain.errors import Forbidden, Unavailable

_REFUSALS: Final[Mapping[str, Code]] = {
    "access_denied": "sign_in_declined",
    "consent_required": "sign_in_needs_consent",
    "interaction_required": "sign_in_interrupted",
    "login_required": "sign_in_nobody",
}


_KEPT: Final = ("state", "redirect_uri", "scope", "code_verifier", "nonce")
"""What msal needs of a flow to complete it."""

type Prompt = Literal["login", "none"]


class SignInFailed(Forbidden):
    """Entra ID, or we, did not accept a sign-in; the user can start again."""

    kind = "sign-in-failed"


@dataclass(frozen=True, slots=True)
class Begun:
    """A started sign-in: where to redirect the browser, and the flow to store until it returns.

    The flow of a sign-in is what its response has to match: state, nonce and PKCE verifier.
    """

    url: str
    flow: dict[str, Any]


class SignIn:
    """Signs in people of any organization, or of one.

    Entra ID refuses `organizations` for an application of one `tenant` (AADSTS50194).
    """

    def __init__(
        self, authority: str, client_id: str, credentials: AppCredentials, tenant: str
    ) -> None:
        self._authority = f"{authority.rstrip('/')}/{tenant}"
        self._client_id = client_id
        self._credentials = credentials
        self._loopback = is_loopback(authority)

    async def begin(self, redirect_uri: str, prompt: Prompt | None = None, hint: str = "") -> Begun:
        """Start a sign-in. Raises `Unavailable` if Entra ID does not respond.

        `prompt` is `login` to sign in again, or `none` to ask nothing of the person, `hint` the
        account (docs: v2-protocols-oidc, send the sign-in request). Entra ID lets the browser post
        its response, because a code may be longer than the 2,048 bytes of a query string that
        API Management accepts (docs: api-management-service-limits).
        """

        def initiate(client: ConfidentialClientApplication) -> dict[str, Any]:
            return dict(
                client.initiate_auth_code_flow(
                    [],
                    redirect_uri=redirect_uri,
                    prompt=prompt,
                    login_hint=hint or None,
                    response_mode="form_post",
                )
            )

        flow = await self._with(initiate)
        url = str(flow["auth_uri"])
        kept = {name: flow[name] for name in _KEPT}
        return Begun(url, {**kept, "sent": parse_qs(urlsplit(url).query)["nonce"][0]})

    async def finish(self, flow: dict[str, Any], answer: Mapping[str, str]) -> tuple[str, str]:
        """Redeem the browser's response and return the ID token and the nonce it has to contain.

        Raises `SignInFailed` (a refusal, or the state of another flow) or `Unavailable`.
        """
        if "error" in answer:
            raise SignInFailed(_REFUSALS.get(answer["error"], "sign_in_refused"))

        def redeem(client: ConfidentialClientApplication) -> dict[str, Any]:
            return dict(client.acquire_token_by_auth_code_flow(flow, dict(answer)))

        try:
            found = await self._with(redeem)
        except (ValueError, RuntimeError) as error:
            # Without msal's message, which may contain the state or claims.
            raise SignInFailed("sign_in_not_ours") from error
        if "id_token" not in found:
            raise SignInFailed("sign_in_not_accepted")
        return str(found["id_token"]), str(flow["sent"])

    @cached_property
    def _trusted(self) -> SSLContext:
        """The trusted certificates, cached because reading them is the slowest step."""
        return httpx.create_ssl_context()

    async def _with[T](self, step: Callable[[ConfidentialClientApplication], T]) -> T:
        credential = await self._credentials.for_sign_in(f"{self._authority}/oauth2/v2.0/token")

        def work() -> T:
            with httpx.Client(timeout=10.0, verify=self._trusted) as http:
                return step(
                    ConfidentialClientApplication(
                        self._client_id,
                        client_credential=credential,
                        authority=self._authority,
                        # Microsoft does not know the authority of a simulator on this machine.
                        instance_discovery=False if self._loopback else None,
                        exclude_scopes=["offline_access"],
                        http_client=http,
                    )
                )

        try:
            return await asyncio.to_thread(work)
        except httpx.HTTPError as error:
            raise Unavailable("Entra ID is not responding.", 5.0) from error
