"""Validation of the gateway's token, and the network that a call comes from."""

import time

import azure.functions as func
import pytest

from shared.adapters.entra import gateway_tokens
from shared.adapters.entra.access_tokens import Identity
from shared.adapters.entra.gateway_tokens import Gateway, GatewayIdentity
from shared.domain.errors import GatewayOnly, Unauthenticated, Unavailable
from shared.web.admission import network_of

GATEWAY = GatewayIdentity("home", "apim")


class Tokens:
    """Fake tokens of Entra ID: each is its tenant, identity and lifetime."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.unavailable = False

    async def identity(self, token: str) -> Identity:
        self.seen.append(token)
        if self.unavailable:
            raise Unavailable("Entra ID's signing keys cannot be read.", 5.0)
        tenant, _, rest = token.partition("/")
        if not rest:
            raise Unauthenticated("token_missing")
        oid, _, lives = rest.partition("/")
        return Identity(tenant, oid, time.time() + float(lives or 60))


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def guard(tokens: Tokens) -> Gateway:
    return Gateway(tokens, GATEWAY, "https://contacts.example")  # type: ignore[arg-type]


async def test_valid_token_is_checked_once_until_it_expires(
    guard: Gateway, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await guard.require("home/apim/60")
    assert tokens.seen == ["home/apim/60"]

    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    await guard.require("home/apim/60")
    assert len(tokens.seen) == 2


@pytest.mark.parametrize("token", ["", "spoilt", "other/apim", "home/other", "home/apim /60"])
async def test_wrong_token_is_rejected_every_time(
    guard: Gateway, tokens: Tokens, token: str
) -> None:
    for _ in range(2):
        with pytest.raises(GatewayOnly, match="gateway_only") as refused:
            await guard.require(token)
        assert refused.value.values["api"] == "https://contacts.example/api"

    assert tokens.seen == [token, token]


async def test_known_token_is_accepted_while_entra_is_unavailable(
    guard: Gateway, tokens: Tokens
) -> None:
    await guard.require("home/apim")
    tokens.unavailable = True

    await guard.require("home/apim")
    with pytest.raises(Unavailable):
        await guard.require("home/apim/61")


async def test_number_of_remembered_tokens_is_limited(guard: Gateway, tokens: Tokens) -> None:
    given = [f"home/apim/{n}" for n in range(60, 60 + 2 * gateway_tokens._REMEMBERED)]
    for token in given:
        await guard.require(token)
    first = len(tokens.seen)

    await guard.require(given[0])
    await guard.require(given[-1])

    assert len(tokens.seen) == first + 1


async def test_without_a_gateway_no_token_is_checked(tokens: Tokens) -> None:
    guard = Gateway(tokens, None, "https://contacts.example")  # type: ignore[arg-type]

    await guard.require("")

    assert not guard.guards
    assert tokens.seen == []


@pytest.mark.parametrize(
    ("seen", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("203.0.113.77:50123", "203.0.113.0/24"),
        ("198.51.100.1, 203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("[2001:db8:1:2::3]:443", "2001:db8:1::/48"),
        ("", ""),
        ("nobody", ""),
    ],
)
@pytest.mark.parametrize("through", [True, False])
def test_network_is_coarse_and_comes_only_from_the_trusted_header(
    seen: str, network: str, *, through: bool
) -> None:
    trusted, other = "X-Gateway-Client-Ip", "X-Forwarded-For"
    if not through:
        trusted, other = other, trusted
    headers = {trusted: seen, other: "192.0.2.1"}

    req = func.HttpRequest(method="GET", url="/", headers=headers, body=b"")

    assert network_of(req, gateway=through) == network
