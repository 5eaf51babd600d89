"""Validation of access tokens: reading and rotation of keys, outages, and issuers of keys.

Single claims are tested over HTTP in tests/end_to_end/api/test_api.py.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from shared.adapters.entra import access_tokens
from shared.adapters.entra.access_tokens import AccessTokens, Caller
from shared.domain.errors import Unauthenticated, Unavailable

AUTHORITY = "https://login.example"
TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT = "c1c1c1c1-0000-4000-8000-000000000000"
ANY_TENANT = f"{AUTHORITY}/{{tenantid}}/v2.0"


@dataclass
class Time:
    """A monotonic clock that only moves when a test moves it."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now


@dataclass
class Entra:
    """Entra ID's metadata and keys documents, with keys by their id."""

    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)
    issuers: dict[str, str | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    answer: Any = None

    def add(self, kid: str, issuer: str | None = ANY_TENANT) -> None:
        self.keys[kid] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.issuers[kid] = issuer

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return httpx.Response(200, json=self.answer)
        if request.url.path == "/organizations/v2.0/.well-known/openid-configuration":
            uri = f"{AUTHORITY}/organizations/discovery/v2.0/keys"
            return httpx.Response(200, json={"issuer": ANY_TENANT, "jwks_uri": uri})
        assert request.url.path == "/organizations/discovery/v2.0/keys"
        return httpx.Response(200, json={"keys": [self.published(kid) for kid in self.keys]})

    def published(self, kid: str) -> dict[str, Any]:
        key = RSAAlgorithm.to_jwk(self.keys[kid].public_key(), as_dict=True)
        issuer = self.issuers[kid]
        # Entra's own document names no algorithm.
        own = {n: v for n, v in key.items() if n not in {"alg", "key_ops"}}
        return {**own, "kid": kid, "use": "sig", **({"issuer": issuer} if issuer else {})}

    def token(self, kid: str = "one", **claims: Any) -> str:
        now = int(time.time())
        usual = {
            "iss": f"{AUTHORITY}/{TENANT}/v2.0",
            "aud": CLIENT,
            "tid": TENANT,
            "oid": "ada",
            "name": "Ada",
            "roles": ["Admin"],
            "ver": "2.0",
            "azp": "a-client",
            "scp": "access_as_user",
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
        }
        given = {n: v for n, v in {**usual, **claims}.items() if v is not None}
        signed = jwt.encode(given, self.keys[kid], algorithm="RS256", headers={"kid": kid})
        return f"Bearer {signed}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    moved = Time()
    monkeypatch.setattr(access_tokens, "time", moved)
    return moved


@pytest.fixture
def entra() -> Entra:
    published = Entra()
    published.add("one")
    return published


@pytest.fixture
def tokens(entra: Entra, clock: Time) -> AccessTokens:
    del clock
    http = httpx.AsyncClient(transport=httpx.MockTransport(entra))
    return AccessTokens(http, f"{AUTHORITY}/", CLIENT)


async def test_caller_is_read_from_the_token(entra: Entra, tokens: AccessTokens) -> None:
    caller = await tokens.caller(entra.token(roles=["Admin", "Other"]))

    assert replace(caller, client="", issued=None, signed_in=None) == Caller(
        TENANT, "ada", "Ada", frozenset({"Admin", "Other"})
    )


@pytest.mark.parametrize("roles", [None, "Admin", {"Admin": True}, []])
async def test_roles_claim_counts_only_as_a_list(
    entra: Entra, tokens: AccessTokens, roles: object
) -> None:
    assert (await tokens.caller(entra.token(roles=roles))).roles == frozenset()


async def test_clock_skew_of_a_minute_is_tolerated(entra: Entra, tokens: AccessTokens) -> None:
    now = int(time.time())

    await tokens.caller(entra.token(nbf=now + 50, iat=now + 50))
    await tokens.caller(entra.token(exp=now - 50))

    with pytest.raises(Unauthenticated, match="expired"):
        await tokens.caller(entra.token(exp=now - 70))


async def test_errors_never_contain_the_token(entra: Entra, tokens: AccessTokens) -> None:
    token = entra.token(aud="another")

    with pytest.raises(Unauthenticated) as caught:
        await tokens.caller(token)

    assert not any(part in str(caught.value) for part in token.split(" ")[1].split("."))


async def test_token_signed_with_hs256_is_rejected(entra: Entra, tokens: AccessTokens) -> None:
    claims = jwt.decode(entra.token().split(" ")[1], options={"verify_signature": False})
    forged = jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": "one"})

    with pytest.raises(Unauthenticated, match="token_algorithm_wrong"):
        await tokens.caller(f"Bearer {forged}")


async def test_key_is_valid_only_for_its_issuer(entra: Entra, tokens: AccessTokens) -> None:
    entra.add("personal", f"{AUTHORITY}/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0")
    entra.add("own", f"{AUTHORITY}/{TENANT}/v2.0")
    entra.add("unsaid", None)

    await tokens.caller(entra.token("own"))
    await tokens.caller(entra.token("unsaid"))
    with pytest.raises(Unauthenticated, match="token_issuer_wrong"):
        await tokens.caller(entra.token("personal"))


async def test_keys_are_read_once_for_many_calls(entra: Entra, tokens: AccessTokens) -> None:
    await asyncio.gather(*(tokens.caller(entra.token()) for _ in range(20)))

    assert len(entra.asked) == 2


async def test_keys_are_read_again_after_a_day(
    entra: Entra, tokens: AccessTokens, clock: Time
) -> None:
    await tokens.caller(entra.token())
    clock.now += 23 * 3600
    await tokens.caller(entra.token())
    assert len(entra.asked) == 2

    clock.now += 2 * 3600
    await tokens.caller(entra.token())
    assert len(entra.asked) == 4


async def test_new_key_is_found_and_unknown_keys_do_not_cause_repeated_reads(
    entra: Entra, tokens: AccessTokens, clock: Time
) -> None:
    await tokens.caller(entra.token())
    stranger = Entra()
    stranger.add("two")
    for _ in range(5):
        with pytest.raises(Unauthenticated, match="key"):
            await tokens.caller(stranger.token("two"))
    assert len(entra.asked) == 2

    entra.add("two")
    clock.now += 61
    await tokens.caller(entra.token("two"))

    assert len(entra.asked) == 4


BROKEN: Mapping[str, Any] = {
    "a refused connection": httpx.ConnectError("refused"),
    "a timeout": httpx.ReadTimeout("slow"),
    "a list": [1, 2],
    "an empty object": {},
    "no keys": {"issuer": "x", "jwks_uri": f"{AUTHORITY}/keys", "keys": []},
    "invalid keys": {"issuer": "x", "jwks_uri": f"{AUTHORITY}/keys", "keys": ["x"]},
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
async def test_validation_is_unavailable_without_keys_and_recovers(
    entra: Entra, tokens: AccessTokens, clock: Time, answer: Any
) -> None:
    entra.answer = answer
    for _ in range(3):
        with pytest.raises(Unavailable):
            await tokens.caller(entra.token())
    assert len(entra.asked) <= 2

    entra.answer = None
    clock.now += 6
    await tokens.caller(entra.token())


async def test_known_keys_are_used_for_a_day_during_an_outage(
    entra: Entra, tokens: AccessTokens, clock: Time
) -> None:
    await tokens.caller(entra.token())
    entra.answer = httpx.ConnectError("refused")

    clock.now += 30 * 3600
    await tokens.caller(entra.token())

    clock.now += 24 * 3600
    with pytest.raises(Unavailable):
        await tokens.caller(entra.token())


async def test_id_token_signs_in_but_is_rejected_as_access_token(
    entra: Entra, tokens: AccessTokens
) -> None:
    bearer = entra.token(scp=None, azp=None, nonce="n")
    id_token = bearer.removeprefix("Bearer ")

    assert (await tokens.signed_in(id_token, "n")).caller.tenant == TENANT
    with pytest.raises(Unauthenticated, match="token_is_id_token"):
        await tokens.caller(bearer)


@pytest.mark.parametrize("wrong", [{"nonce": "m"}, {"nonce": None}, {"aud": f"api://{CLIENT}"}])
async def test_id_token_with_wrong_nonce_or_audience_is_rejected(
    entra: Entra, tokens: AccessTokens, wrong: dict[str, Any]
) -> None:
    token = entra.token(**{"scp": None, "azp": None, "nonce": "n", **wrong})

    with pytest.raises(Unauthenticated):
        await tokens.signed_in(token.removeprefix("Bearer "), "n")


async def test_a_personal_account_cannot_sign_in(entra: Entra, tokens: AccessTokens) -> None:
    personal = "9188040d-6c67-4c5b-b112-36a304b66dad"
    token = entra.token(tid=personal, iss=f"{AUTHORITY}/{personal}/v2.0", nonce="n")

    with pytest.raises(Unauthenticated, match="personal_account"):
        await tokens.signed_in(token.removeprefix("Bearer "), "n")


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({"wids": ["62e90394-69f5-4237-9190-012177145e10"]}, {"Admin"}),
        ({"wids": ["88d8e3e3-8f55-4a1e-953a-9b9898b8876b"]}, set()),
        ({"wids": "62e90394-69f5-4237-9190-012177145e10"}, set()),
        ({"wids": []}, set()),
    ],
)
async def test_global_administrator_gets_the_admin_role(
    entra: Entra, tokens: AccessTokens, claims: dict[str, Any], roles: set[str]
) -> None:
    caller = await tokens.caller(entra.token(roles=None, **claims))

    assert caller.roles == roles
