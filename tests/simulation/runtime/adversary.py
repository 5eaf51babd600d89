"""The adversary: what may go wrong, each thing a named knob that counts how often it struck.

Each knob draws from a random source of its own, so that turning one keeps what the others do.
"""

import math
import random
from collections import Counter
from collections.abc import Mapping
from typing import Final

KNOBS: Final[Mapping[str, float]] = {
    # Storage: a call fails and the SDK repeats it, fails for good, is slow, or arrives late.
    "storage_fault": 0.004,
    "storage_slow": 0.002,
    "storage_late": 0.002,
    "short_pages": 0.3,
    # Graph: an answer is lost before or after the effect, refused, slow, late, or half a batch.
    "graph_lost": 0.02,
    "graph_refused": 0.03,
    "graph_slow": 0.005,
    "graph_late": 0.005,
    # Delivery: at least once, late, in another order.
    "message_twice": 0.05,
    "message_late": 0.05,
    "delete_lost": 0.02,
    "renewal_lost": 0.3,
    # Workers: a worker, or the whole instance with all that runs in it, dies at any await.
    "kill": 0.25,
    "second_instance": 0.3,
    "skew": 0.3,
    # Timers.
    "timer_early": 0.2,
    "timer_past_due": 0.2,
    "timer_twice": 0.1,
    # Windows, drawn once a day: storage, queues or Graph do not answer for minutes.
    "storage_outage": 0.15,
    "queue_outage": 0.15,
    "graph_outage": 0.15,
}
"""How likely each knob strikes where it may, when it is turned on."""

_DELAYS: Final = ((0.05, 2.0), (2.0, 60.0), (60.0, 900.0), (900.0, 8 * 3600.0), (8e4, 1e5))
_DELAY_WEIGHTS: Final = (30, 30, 25, 12, 3)


class Adversary:
    """Decides what goes wrong. Nothing does while it is `calm`."""

    def __init__(self, seed: str, turned_on: Mapping[str, float]) -> None:
        self.turned_on = dict(turned_on)
        self.strikes: Counter[str] = Counter()
        self.calm = False
        self._sources = {name: random.Random(f"{seed}:{name}") for name in turned_on}

    def strikes_now(self, knob: str) -> bool:
        """Decide whether a knob strikes here, and count it."""
        chance = self.turned_on.get(knob, 0.0)
        if self.calm or not chance or self._sources[knob].random() >= chance:
            return False
        self.strikes[knob] += 1
        return True

    def source(self, knob: str) -> random.Random:
        """Return the random source of a knob that is turned on."""
        return self._sources[knob]

    def log_uniform(self, knob: str, low: float, high: float) -> float:
        """Draw a number whose logarithm is uniform, so that each size is as likely."""
        return math.exp(self._sources[knob].uniform(math.log(low), math.log(high)))

    def delay(self, knob: str) -> float:
        """Draw a delay from an instant to a day; short ones are more likely."""
        source = self._sources[knob]
        (low, high) = source.choices(_DELAYS, _DELAY_WEIGHTS)[0]
        return source.uniform(low, high)


def drawn(rng: random.Random) -> dict[str, float]:
    """Draw which knobs are turned on, and how far; one history in eight has none."""
    if rng.random() < 0.125:
        return {}
    share = rng.choice((0.15, 0.3, 0.6))
    return {
        name: chance * rng.choice((0.5, 1.0, 2.0))
        for name, chance in KNOBS.items()
        if rng.random() < share
    }
