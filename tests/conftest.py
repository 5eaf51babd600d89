"""What every test shares: bounded, repeatable property tests without wall-clock deadlines."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "bounded",
    deadline=None,
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "100")),
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("bounded")
