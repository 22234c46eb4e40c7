"""What each status is to become, and from when on it may be written: the dearer one is, the longer it rests."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

PAUSE = 0.1
"""Seconds between two writes of one status, unless it is the last: nobody reads faster."""
CHEAP = 0.005
"""Seconds that working out a status may take; one that takes longer is written so much less often."""
QUICK = 0.007
"""Seconds that the API server may take to write one. Of a resource with a hundred steps each write costs it more than ten Pods, so a slow one rests for longer,"""
LONGEST_REST = 20.0
"""at most so many times."""
Status: TypeAlias = Mapping[str, Any]
Wish: TypeAlias = Callable[[Status], Status]
"""From the status that is, the one that should be."""


class Wanted:
    """By the key of a resource. Times are of the monotonic clock: an event loop's may stand still while a status is worked out. `pause` is what a
    status rests for that costs nobody anything, in seconds.
    """

    def __init__(self, pause: float = PAUSE) -> None:
        self._pause = pause
        self._wishes: dict[str, Wish] = {}
        self._next: dict[str, float] = {}

    def put(self, key: str, wish: Wish) -> None:
        """Instead of what was wanted before."""
        self._wishes[key] = wish

    def get(self, key: str) -> Wish | None:
        """What is wanted of a status, if anything has been."""
        return self._wishes.get(key)

    def due(self, key: str) -> float:
        """When it may be written."""
        return self._next.get(key, -math.inf)

    def rest(self, key: str, now: float, *, made: float, written: float) -> None:
        """It was written, and took so many seconds to work out, and to write."""
        longer = max(1.0, made / CHEAP, min(LONGEST_REST, written / QUICK))
        self._next[key] = now + self._pause * longer

    def forget(self, key: str) -> None:
        """Nothing is wanted any more."""
        self._wishes.pop(key, None)
        self._next.pop(key, None)
