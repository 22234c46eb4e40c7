"""How often one caller may ask: a token bucket for each. No I/O; `Steps` asks before it does anything else for a caller.

A bucket that would be full again is forgotten, which changes nothing, so memory follows the callers of the last `burst / per_second` seconds; `room`
bounds it in any case. Only callers whose token was good have one.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from mlworkflow.gateway.errors import TooMany


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float
    is_told: bool = False


class Rates:
    """`per_second` calls for each caller for ever, and up to `burst` at once."""

    def __init__(
        self, per_second: float, burst: int, *, room: int = 50_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._room = room
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, caller: str) -> None:
        """Counts a call; raises `TooMany` for one too many, which is not counted."""
        now = self._clock()
        bucket = self._buckets.setdefault(caller, _Bucket(self._burst, now))
        self._buckets.move_to_end(caller)
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        self._forget(now)
        if bucket.left < 1:
            is_news, bucket.is_told = not bucket.is_told, True
            raise TooMany((1 - bucket.left) / self._per_second, is_news)
        bucket.left -= 1
        bucket.is_told = bucket.is_told and bucket.left < self._burst / 2

    def _forget(self, now: float) -> None:
        """The oldest that is full again, two for each call; more only where there is no room."""
        full = now - self._burst / self._per_second
        for _ in range(2):
            caller = next(iter(self._buckets))
            if self._buckets[caller].at >= full:
                break
            del self._buckets[caller]
        while len(self._buckets) > self._room:
            self._buckets.popitem(last=False)
