"""How long to wait after the n-th failure in a row.

Exponential with full jitter, so that many clients that failed together do not come back together.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """`base` and `cap` are seconds; `attempts` bounds retries where a caller waits, and is ignored by endless loops."""

    base: float
    cap: float
    attempts: int = 0
    random: Callable[[], float] = random.random

    def delay(self, failures: int) -> float:
        """Seconds to wait after `failures` (1, 2, …) failures: between half and all of min(cap, base · 2ⁿ⁻¹)."""
        ceiling = min(self.cap, self.base * 2.0 ** min(failures - 1, 60))
        return ceiling * (0.5 + 0.5 * self.random())
