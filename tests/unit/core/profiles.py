"""How much hypothesis tries. Deterministic in CI; ``MLWF_SOAK_EXAMPLES=20000 pytest tests/unit/core`` tries more, at random, and prints how to repeat a failure."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SOAK = int(os.environ.get("MLWF_SOAK_EXAMPLES", "0"))


def examples(count: int) -> settings:
    """Settings for a test that tries `count` examples, or as many as the soak asks for."""
    return settings(
        max_examples=SOAK or count,
        derandomize=not SOAK,
        print_blob=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
