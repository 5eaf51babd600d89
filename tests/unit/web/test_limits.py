"""Rate limits of people, tenants and networks."""

import pytest

from shared.adapters.entra.access_tokens import Caller
from shared.domain.errors import TooManyRequests
from shared.services.tenancy import limits
from shared.services.tenancy.limits import Limiter


def caller(oid: str, tenant: str = "one") -> Caller:
    return Caller(tenant, oid, "Ada", frozenset())


def test_each_tenant_and_each_role_has_its_own_rate_limit() -> None:
    limiter = Limiter(10)
    for n in range(10):
        limiter.count_call(caller(str(n)), "Reader")

    limiter.count_call(caller("ada"), "Admin")
    limiter.count_call(caller("bob", "two"), "Reader")
    with pytest.raises(TooManyRequests, match="too_many_calls") as refused:
        limiter.count_call(caller("rita"), "Reader")

    assert 1 <= refused.value.retry_after <= 60


def test_own_budget_counts_first_and_then_uses_nothing_of_the_tenant() -> None:
    limiter = Limiter(10, per_user=5)
    for _ in range(5):
        limiter.count_call(caller("ada"), "Admin")
    for _ in range(100):
        with pytest.raises(TooManyRequests, match="too_many_own_calls"):
            limiter.count_call(caller("ada"), "Admin")

    for _ in range(5):
        limiter.count_call(caller("bob"), "Admin")


def test_caller_without_role_uses_nothing_of_the_tenant() -> None:
    limiter = Limiter(10, per_user=100)
    for _ in range(100):
        limiter.count_call(caller("nils"), None)

    limiter.count_call(caller("ada"), "Admin")


def test_only_wrong_guesses_of_the_same_person_count() -> None:
    limiter = Limiter(10)
    for _ in range(1000):
        limiter.require_guesses_left(caller("rita"))
    for _ in range(100):
        limiter.guessed(caller("rita"))

    limiter.require_guesses_left(caller("ada"))
    with pytest.raises(TooManyRequests):
        limiter.require_guesses_left(caller("rita"))


@pytest.mark.parametrize("kind", ["count_visit", "count_stranger"])
def test_sign_ins_and_strangers_are_limited_by_network(kind: str) -> None:
    limiter = Limiter(10, per_network=240)
    count = getattr(limiter, kind)
    for _ in range(240):
        count("192.0.2.0/24")

    count("198.51.100.0/24")
    with pytest.raises(TooManyRequests) as refused:
        count("192.0.2.0/24")
    assert 1 <= refused.value.retry_after <= 60


def test_networks_are_counted_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_NETWORKS", 100)
    limiter = Limiter(10, per_network=10)
    for n in range(110):
        limiter.count_stranger(f"network {n}")

    for n in range(110, 200):
        with pytest.raises(TooManyRequests):
            limiter.count_stranger(f"network {n}")
    limiter.count_stranger("network 5")
    assert len(limiter._networks) == 101
