"""Rate limits of tenants and networks."""

import pytest

from shared.domain.errors import Conflict, TooManyRequests
from shared.services.tenancy.limits import Limiter, require_room


def test_each_tenant_has_its_own_rate_limit() -> None:
    limiter = Limiter(10)
    for _ in range(10):
        limiter.count_call("one")

    limiter.count_call("two")
    with pytest.raises(TooManyRequests) as refused:
        limiter.count_call("one")

    assert 1 <= refused.value.retry_after <= 60


def test_only_wrong_guesses_count_towards_the_guess_limit() -> None:
    limiter = Limiter(10)
    for _ in range(1000):
        limiter.require_guesses_left("one")
    for _ in range(100):
        limiter.guessed("one")

    limiter.require_guesses_left("two")
    with pytest.raises(TooManyRequests):
        limiter.require_guesses_left("one")


def test_sign_ins_are_limited_by_network() -> None:
    limiter = Limiter(10)
    for _ in range(240):
        limiter.count_visit("192.0.2.0/24")

    limiter.count_visit("198.51.100.0/24")
    with pytest.raises(TooManyRequests):
        limiter.count_visit("192.0.2.0/24")


def test_require_room_raises_conflict_at_the_limit() -> None:
    require_room(4, 5, "too_many_shares")
    with pytest.raises(Conflict, match="too_many_shares") as refused:
        require_room(5, 5, "too_many_shares")
    assert refused.value.values == {"limit": 5}
